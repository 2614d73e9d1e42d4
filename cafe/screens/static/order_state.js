// The order under way: its number, and where it stands, in words.

import { byId, say } from "./dom.js";
import { listed } from "./order_basket.js";
import { count, language, money, t } from "./texts.js";

const ordinals = new Intl.PluralRules(language, { type: "ordinal" });

/** Show an order that was sent and is not answered yet; `trouble` is why, empty if nothing is wrong. */
export function showSending(kept, trouble) {
  byId("mine").className = "card sending";
  say(byId("number"), "…");
  say(byId("standing"), trouble === "" ? t("sending") : `${trouble} ${t("sent_again")}`);
  showWhat(kept);
  showButtons({ stop: trouble !== "" });
  document.title = t("title");
}

/** Show where an order stands, as the shop has told it last. */
export function showPlaced(kept) {
  const { number, status } = kept.order;
  byId("mine").className = `card ${status}`;
  say(byId("number"), String(number));
  const standing = words(kept.order);
  say(byId("standing"), standing);
  showWhat(kept);
  const isLive = status === "waiting" || status === "preparation";
  showButtons({ cancel: status === "waiting", again: !isLive });
  document.title = `${number}: ${standing}`;
}

/** Show an order of which nothing new is known, with the reason. */
export function showLost(kept, why, { enter }) {
  byId("mine").className = "card";
  say(byId("number"), String(kept.order.number));
  say(byId("standing"), why);
  showWhat(kept);
  showButtons({ enter, again: true });
  document.title = t("title");
}

function words({ status, position, eta_seconds: eta }) {
  if (status !== "waiting" && status !== "preparation") return t(`is_${status}`);
  const place = status === "waiting" ? placeInLine(position) : t("is_preparation");
  if (eta === null) return `${place}.`;
  return `${place}, ${count("about", Math.max(1, Math.round(eta / 60)))}.`;
}

function placeInLine(n) {
  if (n === null) return t("in_line");
  if (n <= 3) return t(`place_${n}`);
  return t(`place_${ordinals.select(n)}`, { n });
}

function showWhat({ lines, total, path, order }) {
  say(byId("ordered"), listed(lines));
  const key = paying(path, order);
  byId("paying").hidden = key === null;
  if (key !== null) say(byId("paying"), t(key, { total: money(total) }));
}

function paying(path, order) {
  const status = path === "/order/" ? "at_counter" : order?.payment;
  if (status === undefined) return null;
  const atCounter = { at_counter: "pay_at_counter", not_required: "nothing_to_pay" }[status];
  if (order?.status === "cancelled") return atCounter === undefined ? "refunded" : null;
  return atCounter ?? "paid";
}

function showButtons({ stop = false, enter = false, cancel = false, again = false }) {
  byId("stop").hidden = !stop;
  byId("mine-enter").hidden = !enter;
  byId("cancel").hidden = !cancel;
  byId("again").hidden = !again;
}
