// The orders of now: loaded again whenever the shop tells of a change, but not too often.

import { Problem, pages } from "./api.js";
import { follow } from "./events.js";
import { withSession } from "./session.js";

const LEAST = 300; // ms between two loads
const AFTER_FAILURE = 2_000; // ms
const MOST = 10_000; // orders
let on = null; // {orders(list), event(data), refused(problem), failed(error)}
let loading = false;
let again = false; // asked for while loading
let stops = 0; // what was asked for before a stop is not shown after it
let timer = null;
let unfollow = null; // ends the stream

/** Begin; `on` is called with what was found. */
export function begin(handlers) {
  on = handlers;
  void load();
}

/** Load soon: several calls are one load. */
export function soon(delay = LEAST) {
  if (loading) again = true;
  else timer ??= setTimeout(() => void load(), delay);
}

/** Load the orders now, signing in if that is what it takes; never raises. */
export async function load() {
  clearTimeout(timer);
  timer = null;
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  again = false;
  const began = performance.now();
  const before = stops;
  let orders = null;
  let failure = null;
  try {
    orders = await withSession(() => pages("/orders", "orders", MOST));
  } catch (error) {
    failure = error;
  }
  loading = false;
  if (before === stops) {
    if (failure !== null) {
      fail(failure);
    } else {
      on.orders(orders);
      keepFollowing();
    }
  }
  // A long list takes its time, here and at the shop: it is loaded the less often.
  const least = failure === null ? LEAST : AFTER_FAILURE;
  if (again) soon(Math.max(least, 2 * (performance.now() - began)));
}

function fail(error) {
  if (error instanceof Problem && [401, 403].includes(error.status)) {
    on.refused(error);
  } else {
    on.failed(error);
    again = true;
  }
}

/** Load nothing until the next call of `load`. */
export function stop() {
  stops += 1;
  clearTimeout(timer);
  timer = null;
  again = false;
  unfollow?.();
  unfollow = null;
}

function keepFollowing() {
  if (unfollow !== null) return;
  const heard = (data) => {
    on.event(data);
    soon();
  };
  const handlers = { reset: () => soon(0), orders: heard };
  unfollow = follow("/events?of=orders", handlers, (problem) => {
    unfollow = null;
    if (problem.status === 401) void load(); // which asks for credentials
    else on.refused(problem);
  });
}
