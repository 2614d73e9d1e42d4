// Claiming the oldest order.

import { Problem, call, newKey } from "./api.js";

let key = null; // of a claim that was not answered: the same key gets the same claim
let busy = false;

/** Forget a claim that was not answered: the orders that were listed since show what became of it. */
export function forgetClaim() {
  if (!busy) key = null;
}

/**
 * Claim the oldest order for a barista. Returns the claim, null if nothing waits, undefined if a
 * claim is under way. Raises Problem or Unreachable; then the next call repeats it.
 */
export async function claimOldest(name) {
  if (busy) return undefined;
  busy = true;
  key ??= newKey();
  try {
    const headers = { "idempotency-key": key };
    const of = `/start/?barista=${encodeURIComponent(name)}`;
    const claim = await call("GET", of, { headers });
    key = null;
    return claim;
  } catch (error) {
    if (error instanceof Problem && error.status < 500) key = null;
    throw error;
  } finally {
    busy = false;
  }
}
