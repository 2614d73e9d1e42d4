// Sending an order until the shop's answer is known: it is placed once, for its key is always the same.

import { PATIENCE, Problem, Unreachable, call } from "./api.js";
import { pause } from "./pause.js";

const LONGEST_PAUSE = 15_000;
const WANTED = 15 * 60_000; // ms: nobody wants to order by opening a laptop the day after
const NOTHING_ORDERED = ["payment", "not_placed", "paused", "queue_full"]; // reasons of a 503

/** It is the order of an account that is not signed in here: with another it would be another order. */
export class OthersOrder extends Error {}

/** It was begun too long ago to be sent now without being asked for again. */
export class TooLate extends Error {}

/**
 * Send what was begun; return the order that the shop has placed. `isOurs()` says whether it may be
 * sent by who is signed in now; `failed(error)` is called before each repetition. Raises a Problem that no repetition changes, TooLate, and an AbortError when
 * `stopped`.
 */
export async function send({ key, begun, path, body }, { isOurs, failed, stopped }) {
  const headers = { "idempotency-key": key, prefer: "wait=0" };
  for (let failures = 1; ; failures += 1) {
    if (Date.now() - begun > WANTED) throw new TooLate();
    try {
      if (!(await isOurs())) throw new OthersOrder();
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(PATIENCE)]);
      return await call("POST", path, { body, headers, signal });
    } catch (error) {
      stopped.throwIfAborted();
      if (!mayChange(error)) throw error;
      failed(error);
    }
    await pause(Math.min(LONGEST_PAUSE, 1000 * 2 ** (failures - 1)), stopped);
    stopped.throwIfAborted();
  }
}

/** Return whether an error proves that nothing was ordered with this key, and will not be. */
export function isRefusal(error) {
  return error instanceof Problem && !mayChange(error) && error.status !== 401;
}

function mayChange(error) {
  if (!(error instanceof Problem)) return error instanceof Unreachable || error instanceof OthersOrder;
  const { status, members } = error;
  if (status === 409) return members.total_cents === undefined && members.order_status === undefined;
  if (status === 503) return !NOTHING_ORDERED.includes(members.reason);
  return status >= 500 || status === 408 || status === 429;
}
