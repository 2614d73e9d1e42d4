// The courier's page: on and off duty, the order in hand, and what became of it.

import { Problem, Unreachable, call } from "./api.js";
import { askReason } from "./courier_fail.js";
import { showHand } from "./courier_hand.js";
import { byId, complain, say } from "./dom.js";
import { follow } from "./events.js";
import { isSignedIn, signIn, signOut } from "./session.js";
import { t } from "./texts.js";

const PAUSE = 5000; // ms

let me = null;
let delivery = null;
let asked = 0; // how often the state was asked for: only the last answer is shown
let stale = false; // whether the page says that it could not keep up to date by itself
let end = () => {};

/** Ask for the state of now and show it. Raises Problem or Unreachable. */
async function load() {
  const asking = (asked += 1);
  const [courier, hand] = await Promise.all([call("GET", "/courier/me"), call("GET", "/courier/me/order")]);
  if (asking !== asked) return;
  me = courier;
  delivery = hand.order;
  show();
}

function show(why = "") {
  const isIn = isSignedIn() && me !== null;
  byId("outside").hidden = isIn;
  byId("work").hidden = !isIn;
  byId("leave").hidden = !isSignedIn();
  byId("who").hidden = !isIn;
  byId("enter").hidden = isSignedIn();
  say(byId("who"), me?.name ?? "");
  if (isIn) showHand(me, delivery);
  else {
    say(byId("why"), why || t("sign_in_first"));
    document.title = t("title");
  }
}

/** Show the page for the account that is signed in now, if there is one. */
function begin() {
  end();
  me = delivery = null;
  asked += 1;
  show(isSignedIn() ? t("loading") : "");
  if (!isSignedIn()) return;
  end = follow("/events", { hand: () => attempt(load, { byItself: true }) }, refused);
  attempt(load); // no `hand` comes for those who are no couriers
}

function refused(problem) {
  if (problem.status === 401) setTimeout(begin, isSignedIn() ? PAUSE : 0);
  else {
    stale = true;
    complain(problem.message);
  }
}

/** Do something, and say why if that does not work. Why a step was refused is shown until the next step. */
async function attempt(action, { byItself = false } = {}) {
  try {
    await action();
    if (!byItself || stale) complain("");
    stale = false;
  } catch (error) {
    stale = byItself;
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    const text = error instanceof Problem ? error.message : t("unreachable");
    if (!isSignedIn()) begin();
    else if (me === null && error.status === 403) show(t("couriers_only"));
    else if (me === null && error instanceof Problem) show(text);
    else complain(text);
  }
}

/** Take a step, and show where that leads: also when the shop refuses, since it knows better. */
async function step(what, body) {
  const of = `/deliveries/${delivery.order_id}/${what}`;
  try {
    await call("POST", of, body === undefined ? {} : { body });
  } catch (error) {
    if (error instanceof Problem) await load();
    throw error;
  }
  await load();
  byId("work-title").focus();
}

/** Keep a button from being pressed twice while its action runs. */
function pressed(id, action) {
  byId(id).onclick = async () => {
    if (byId(id).ariaBusy === "true") return;
    byId(id).ariaBusy = "true";
    try {
      await action();
    } finally {
      byId(id).ariaBusy = null;
    }
  };
}

pressed("pickup", () => attempt(() => step("pickup")));
pressed("finish", () => attempt(() => step("finish")));
pressed("fail", async () => {
  // The dialog gives the focus back to the button, which may go only with the next load.
  if (await askReason((reason) => step("fail", { reason }))) byId("work-title").focus();
});
pressed("change-duty", () =>
  attempt(async () => {
    await call("PATCH", "/courier/me", { body: { on_duty: !me.on_duty } });
    await load();
  }),
);
pressed("enter", async () => {
  if (await signIn()) begin();
});
pressed("leave", async () => {
  await signOut();
  complain("");
  begin();
  byId("outside-title").focus();
});
begin();
