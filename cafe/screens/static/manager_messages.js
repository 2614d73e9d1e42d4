// What the shop tells others: notifications to a program, letters to guests; those that were set
// aside can be tried again.

import { call } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { closing, view } from "./manager_dialog.js";
import { keepLoaded } from "./manager_live.js";
import { badge, button, buttons, choice, listing } from "./manager_parts.js";
import { when, word, words } from "./manager_words.js";
import { count, t } from "./texts.js";

const STATES = ["set_aside", "retrying", "due", "held"];
const AGAIN = ["set_aside", "retrying"]; // those that can be tried again
const MOST = 50;

const LETTERS = {
  title: "letters",
  department: "letters",
  path: "/admin/letters",
  id: "letter_id",
  last: "sent",
  about: (letter) => `${word("letter", letter.kind)}: ${letter.address}`,
};
const NOTIFICATIONS = {
  title: "notifications",
  department: "notifications",
  path: "/admin/notifications",
  id: "event_id",
  last: "delivered",
  about: ({ topic, number, status }) =>
    topic === "order" ? `${t("order")} ${number ?? ""}: ${word("status", status)}` : `${t("booking")}: ${word("booking", status)}`,
};

export function open(element) {
  const ends = [];
  for (const kind of [LETTERS, NOTIFICATIONS]) {
    const part = make("div");
    element.append(part);
    ends.push(openKind(part, kind));
  }
  return () => ends.forEach((end) => end());
}

function openKind(element, kind) {
  let state = "set_aside";
  const again = () => loader.now();
  const messages = listing(t(kind.title), [t("message"), t("status"), t("attempts"), t("time"), t("actions")], {
    key: (one) => one[kind.id],
    none: t("nothing_there"),
    cells: (one) => [
      kind.about(one),
      badge(word("state", one.state), one.state),
      attemptsOf(one.attempts),
      when(one.occurred_at ?? one.created_at),
      actionsOf(kind, one, again),
    ],
  });
  const filter = (value) => {
    state = value;
    loader.now();
  };
  const options = [...words("state", [...STATES, kind.last]), ["", t("all")]];
  fill(element, make("div", { class: "filters" }, choice(`${t(kind.title)}: ${t("status")}`, options, filter, state)), messages.element);
  const loader = keepLoaded([kind.department], async () => {
    const query = new URLSearchParams({ limit: MOST });
    if (state !== "") query.set("state", state);
    const found = await call("GET", `${kind.path}?${query}`);
    messages.show(found[kind.title]);
  });
  return loader.stop;
}

function attemptsOf(attempts) {
  const last = attempts.at(-1);
  if (last === undefined) return "–";
  const said = [last.outcome, last.said].filter(Boolean).join(" ");
  return `${count("attempt", attempts.length)}: ${said}`;
}

function actionsOf(kind, one, again) {
  const path = `${kind.path}/${encodeURIComponent(one[kind.id])}`;
  const about = { of: kind.about(one) };
  const retry = async () => {
    await call("POST", `${path}/retry`);
    announce(t("is_retried"));
    await again();
  };
  return buttons(
    AGAIN.includes(one.state) ? button(t("retry"), retry, about) : null,
    kind === LETTERS ? button(t("read"), async () => showLetter(await call("GET", path)), about) : null,
  );
}

function showLetter({ subject, address, text }) {
  view(subject, make("div", {}, make("p", {}, address), make("pre", {}, text), buttons(closing())));
}
