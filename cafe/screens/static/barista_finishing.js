// Finishing an order: held back for some seconds, in which it can be undone, then sent for certain.
//
// The one list of what is to be sent is in localStorage: it survives the page, and two pages of one
// tablet share it. A finish may be sent twice (the second does nothing), but never gets lost: it
// stays in the list until the shop has answered.

import { Problem, call } from "./api.js";
import { lasting } from "./storage.js";

export const HOLD = 10_000; // ms
const SPARE = 2_000; // ms before the end of a lease in which it is sent, and no longer held back
const KEY = "cafe.finishing";
const FINAL = [404, 409, 422]; // these answers stay the same, however often one asks
const PAUSES = [1_000, 2_000, 5_000, 10_000]; // ms between attempts
const sending = new Set();
let failures = 0;
let notBefore = 0;

function all() {
  return JSON.parse(lasting.get(KEY) ?? "[]"); // of {id, number, due}
}

function keep(list) {
  lasting.set(KEY, JSON.stringify(list));
}

/** Return the finish that can still be undone, as {id, number, left} with ms; null for none. */
export function held() {
  const one = all().find(({ due }) => due > Date.now());
  return one === undefined ? null : { ...one, left: Math.min(HOLD, one.due - Date.now()) };
}

/** Return the ticket numbers of what the shop could not be told so far. */
export function unsent() {
  if (failures === 0) return [];
  return all().filter(({ due }) => due <= Date.now()).map(({ number }) => number);
}

/** Return the ids of the orders that count as finished on this tablet. */
export function finishedIds() {
  return new Set(all().map(({ id }) => id));
}

/** Finish an order: hold it back, at most as long as its lease (in ms) holds. */
export function finish({ order_id: id, number }, lease) {
  release();
  const due = Date.now() + Math.max(0, Math.min(HOLD, lease - SPARE));
  keep([...all().filter((one) => one.id !== id), { id, number, due }]);
}

/** Take back the finish that is held back; return it, null if it is too late. */
export function undo() {
  const one = held();
  if (one !== null) keep(all().filter(({ id }) => id !== one.id));
  return one;
}

/** Hold nothing back any longer: send it with the next `sendDue`. */
export function release() {
  keep(all().map((one) => ({ ...one, due: Math.min(one.due, Date.now()) })));
}

/** Try again at once what could not be sent. */
export function retryNow() {
  notBefore = 0;
}

/**
 * Send what is due. `on.sent(one, answer)` and `on.refused(one, problem)` are called for what the
 * shop has answered for good, `on.failed(problem)` for what is kept. `closing`: the page may go.
 */
export function sendDue(on, closing = false) {
  if (!closing && Date.now() < notBefore) return;
  for (const one of all()) {
    if (one.due <= Date.now() && (closing || !sending.has(one.id))) void send(one, on, closing);
  }
}

async function send(one, on, closing) {
  sending.add(one.id);
  try {
    const answer = await call("POST", `/finish/${one.id}/`, { keepalive: closing });
    failures = 0;
    drop(one);
    on.sent(one, answer);
  } catch (error) {
    if (error instanceof Problem && FINAL.includes(error.status)) {
      failures = 0;
      drop(one);
      on.refused(one, error);
    } else {
      notBefore = Date.now() + PAUSES[Math.min(failures, PAUSES.length - 1)];
      failures += 1;
      on.failed(error);
    }
  } finally {
    sending.delete(one.id);
  }
}

function drop({ id }) {
  keep(all().filter((one) => one.id !== id));
}
