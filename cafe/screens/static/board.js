// The ready board: who is being prepared, who is ready, the newest ready one big, with a chime.

import { chime } from "./chime.js";
import { announce, byId, complain, fill, keepList, make, say } from "./dom.js";
import { follow } from "./events.js";
import { lasting } from "./storage.js";
import { clock, count, t } from "./texts.js";

const SOUND = "cafe.chime";
let known = null; // the numbers that were ready before; null until the first board

function show(board) {
  showNewest(board.ready[0] ?? null);
  keepList(byId("ready"), board.ready.slice(1), ticket);
  keepList(byId("preparing"), board.preparing, ticket);
  showNotice(board);
  say(byId("wait"), waiting(board));
  const fresh = known === null ? [] : board.ready.filter(({ number }) => !known.has(number));
  known = new Set(board.ready.map(({ number }) => number));
  if (fresh.length > 0) {
    announce(t("ready_now", { tickets: fresh.map(called).join(", ") }));
    if (isOn()) chime();
  }
}

function showNewest(ticket) {
  const text = ticket === null ? t("none_ready") : called(ticket);
  const newest = byId("newest");
  if (newest.textContent === text) return; // it is read out when it changes
  if (ticket === null) fill(newest, text);
  else fill(newest, make("b", {}, String(ticket.number)), ticket.name === null ? null : nameOf(ticket));
}

function nameOf({ name }) {
  return make("span", {}, ` ${name}`);
}

function called({ number, name }) {
  return name === null ? String(number) : `${number} ${name}`;
}

const ticket = {
  key: ({ number }) => number,
  create: ({ number, name }) =>
    make("li", {}, make("b", {}, String(number)), name === null ? null : nameOf({ name })),
};

function waiting({ waiting, eta_seconds: eta }) {
  const queue = count("waiting", waiting);
  if (eta === null) return queue;
  return `${queue} ${count("minutes", Math.max(1, Math.round(eta / 60)))}`;
}

function showNotice({ paused, accepting }) {
  const notice = byId("notice");
  notice.hidden = accepting;
  if (accepting) return;
  if (paused === null) say(notice, t("not_accepting"));
  else say(notice, `${t("paused", { time: clock(new Date(paused.until)) })} ${paused.text}`.trim());
}

function isOn() {
  return lasting.get(SOUND) === "on";
}

function showSound() {
  byId("chime").setAttribute("aria-pressed", String(isOn()));
}

byId("chime").addEventListener("click", () => {
  lasting.set(SOUND, isOn() ? "off" : "on");
  showSound();
  if (isOn()) chime(); // browsers allow sound once there was a click
});
byId("full").addEventListener("click", () => document.documentElement.requestFullscreen?.());
showSound();
follow("/events", { board: show }, (problem) => complain(problem.message));
