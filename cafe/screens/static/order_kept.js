// What this browser remembers, so that closing it loses nothing: the basket, and the order.
//
// The order is kept before it is sent, with its Idempotency-Key: {key, begun, path, body, account,
// lines, total, order, stopped}. `order` is null until the shop has answered; `stopped` says that
// it is not sent any longer.

import { newKey } from "./api.js";
import { lasting } from "./storage.js";

const BASKET = "cafe.basket"; // {lines: [{product_id, variation_id, quantity, name, variation}], name}
const ORDER = "cafe.order";
const SHOWN = 2 * 60 * 60 * 1000; // ms after which an order that has ended is not shown again

/** Return the basket. */
export function basket() {
  return read(BASKET) ?? { lines: [], name: "" };
}

/** Keep a basket. */
export function keepBasket(kept) {
  lasting.set(BASKET, JSON.stringify(kept));
}

/** Return the order, or null; one that ended hours ago is none. */
export function order() {
  const kept = read(ORDER);
  return kept === null || isPast(kept.order) ? null : kept;
}

/** Keep an order. */
export function keepOrder(kept) {
  lasting.set(ORDER, JSON.stringify(kept));
}

/** Return whether an order still has to be sent: it was not answered, stopped or replaced, here or in another tab. */
export function isOpen({ key }) {
  const now = order();
  return now !== null && now.key === key && now.order === null && !now.stopped;
}

/** Forget the order. */
export function forgetOrder() {
  lasting.set(ORDER, null);
}

/**
 * Return an order of what is wanted, ready to be sent, and keep it. The same wish as one whose
 * outcome is unknown gets the key of that one, and so is not ordered twice.
 */
export function begin(wish) {
  const last = order();
  const again = last !== null && last.order === null && text(last) === text(wish);
  const begun = { ...wish, key: again ? last.key : newKey(), begun: Date.now(), order: null, stopped: false };
  keepOrder(begun);
  return begun;
}

/** Call `changed` when another tab has changed the order or the basket. */
export function onOtherTab(changed) {
  addEventListener("storage", ({ key }) => {
    if (key === ORDER || key === BASKET || key === null) changed();
  });
}

function read(key) {
  try {
    return JSON.parse(lasting.get(key) ?? "null");
  } catch {
    return null;
  }
}

function isPast(placed) {
  if (placed === null || placed.status === "waiting" || placed.status === "preparation") return false;
  return Date.now() - Date.parse(placed.ready_at ?? placed.placed_at) > SHOWN;
}

function text({ path, body, account }) {
  return JSON.stringify([path, body, account]);
}
