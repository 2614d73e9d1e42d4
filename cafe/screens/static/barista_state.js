// The orders that the page knows, and how they are shown.

import { showOrders, showTotals } from "./barista_cards.js";
import * as finishing from "./barista_finishing.js";
import { baristaName } from "./barista_name.js";
import { byId, say } from "./dom.js";
import { t } from "./texts.js";

let orders = []; // as they were listed last
let newest = -1; // the highest ticket number that was listed; -1 before the first list
const over = new Set(); // ids of orders that this page has finished and that are still listed

/** Return the orders as {waiting, mine, others}, without those that are finished on this tablet. */
export function sorted() {
  const finished = finishing.finishedIds();
  const shown = orders.filter(({ order_id: id }) => !over.has(id) && !finished.has(id));
  const inHand = shown.filter(({ status }) => status === "preparation");
  const isMine = ({ barista }) => barista !== null && barista === baristaName();
  return {
    waiting: shown.filter(({ status }) => status === "waiting"),
    mine: inHand.filter(isMine),
    others: inHand.filter((one) => !isMine(one)),
  };
}

/** Take the orders that were listed just now; return how many have come since the last time. */
export function keepOrders(listed) {
  const ids = new Set(listed.map(({ order_id: id }) => id));
  for (const id of over) if (!ids.has(id)) over.delete(id);
  const fresh = listed.filter(({ number, status }) => status === "waiting" && number > newest);
  const isFirst = newest === -1;
  newest = Math.max(0, newest, ...fresh.slice(-1).map(({ number }) => number));
  orders = listed;
  return isFirst ? 0 : fresh.length;
}

/** Return an order as it was listed last; undefined if it was not. */
export function orderOf(id) {
  return orders.find(({ order_id: one }) => one === id);
}

/** Show an order no longer: the shop has been told that it is finished. */
export function setOver(id) {
  over.add(id);
}

/** Show everything as it is now; `does` is what the cards' buttons do. */
export function draw(does) {
  const found = sorted();
  showOrders(found, does);
  showTotals(found.waiting);
  say(byId("waiting-count"), found.waiting.length === 0 ? "" : `(${found.waiting.length})`);
  showNext(found.waiting[0]);
  showHeld(finishing.held());
  showUnsent(finishing.unsent());
}

function showNext(next) {
  byId("start").disabled = next === undefined;
  say(byId("start"), next === undefined ? t("start_none") : t("start", { number: next.number }));
}

function showHeld(held) {
  byId("held").hidden = held === null;
  if (held === null) return;
  const seconds = Math.ceil(held.left / 1000);
  say(byId("held-text"), t("held_for", { number: held.number, seconds }));
  say(byId("undo"), t("undo", { number: held.number }));
  byId("held-left").value = held.left / 1000;
}

function showUnsent(numbers) {
  byId("unsent").hidden = numbers.length === 0;
  say(byId("unsent"), numbers.length === 0 ? "" : t("unsent", { numbers: numbers.join(", ") }));
}
