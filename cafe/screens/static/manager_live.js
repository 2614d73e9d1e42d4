// Staying up to date: one stream of events for the page, and what loads again after some of them.

import { Problem, Unreachable } from "./api.js";
import { complain } from "./dom.js";
import { follow } from "./events.js";
import { isSignedIn, signIn, withSession } from "./session.js";
import { t } from "./texts.js";

const DEPARTMENTS = ["menu", "accounts", "orders", "delivery", "payments", "bookings", "letters", "notifications"];
const LATER = 5000; // ms until what could not be loaded is tried again: there may be no event
const LONGEST = 2 ** 31 - 1; // ms that a timer takes
const SOON = 50; // ms, in which events of one turn come together
const loaders = new Set();
let signedOut = () => {};
let failed = ""; // what is shown of a load that went wrong

/** Follow the shop's events; `ended` is called when the sign-in is over. Returns what ends it. */
export function goLive(ended) {
  signedOut = ended;
  let stop = () => {};
  const on = { reset: () => wake(() => true) };
  for (const name of DEPARTMENTS) {
    on[name] = (event) => wake(({ departments, about }) => departments.includes(name) && about(event, name));
  }
  const start = () => {
    stop = follow("/events", on, async (problem) => {
      if (problem.status !== 401) tell(problem);
      else if (await signIn()) start();
      else ended();
    });
  };
  start();
  return () => stop();
}

function wake(wanted) {
  for (const loader of loaders) if (wanted(loader)) loader.soon();
}

/**
 * Call `load` now, and again after events of these departments, or those of them that it is
 * `about`: at most once in `every` milliseconds. Returns `now()`, which calls it at once, and
 * `stop()`.
 */
export function keepLoaded(departments, load, { every = 1000, about = () => true } = {}) {
  let timer = null;
  let begun = 0; // when the last load began
  let running = null;
  let missed = false; // whether it has to be called again after the one that runs
  async function run() {
    clearTimeout(timer);
    timer = null;
    missed = false;
    begun = Date.now();
    let loaded = true;
    try {
      loaded = await attempt(load);
    } finally {
      running = null;
    }
    if (!loaders.has(loader)) return;
    if (missed) loader.soon();
    else if (!loaded) timer ??= setTimeout(loader.now, LATER);
  }
  const loader = {
    departments,
    about,
    soon() {
      if (running !== null) missed = true;
      else timer ??= setTimeout(loader.now, Math.max(SOON, begun + every - Date.now()));
    },
    async now() {
      while (running !== null) await running;
      if (loaders.has(loader)) await (running = run());
    },
  };
  loaders.add(loader);
  loader.now();
  const stop = () => {
    loaders.delete(loader);
    clearTimeout(timer);
  };
  return { now: loader.now, stop };
}

/** Return whether it was loaded, or never will be. */
async function attempt(load) {
  try {
    await withSession(load);
    if (failed !== "") complain("");
    failed = "";
    return true;
  } catch (error) {
    if (!isSignedIn()) signedOut();
    else tell(error);
    failed = sentence(error);
    return error instanceof Problem && error.status < 500;
  }
}

/** Call `load` when a time has come by this computer's clock; that may be wrong, so never at once. Returns the timer. */
export function loadAt(time, load) {
  const left = new Date(time) - Date.now() + 500;
  return setTimeout(load, Math.min(Math.max(left, LATER), LONGEST));
}

/** Return what an error says to a person; raises one that is a bug. */
export function sentence(error) {
  if (error instanceof Problem) return error.message;
  if (error instanceof Unreachable) return t("unreachable");
  throw error;
}

/** Show what went wrong. */
export function tell(error) {
  complain(sentence(error));
}
