// What a barista does with an order, by touch or by key: start, finish, take that back, release.

import { Problem, call } from "./api.js";
import * as finishing from "./barista_finishing.js";
import * as loading from "./barista_loading.js";
import { askName, baristaName } from "./barista_name.js";
import { claimOldest } from "./barista_starting.js";
import * as state from "./barista_state.js";
import { leaseLeft } from "./barista_times.js";
import { byId, complain, say } from "./dom.js";
import { t } from "./texts.js";

const does = { finish, release };

/** Show everything as it is now, and send the finishes that are due. */
export function tick() {
  send();
  state.draw(does);
}

/** Say what has come of a touch or a key. */
export function tell(key, values) {
  say(byId("said"), t(key, values));
}

/** Show why something could not be done. */
export function explain(error) {
  if (!(error instanceof Problem)) complain(t("unreachable"));
  else complain(error.message);
  if (error.status === 401) void loading.load(); // which asks for credentials
}

/** Claim the oldest order. */
export async function start() {
  complain("");
  const name = baristaName() ?? (await askName());
  if (name === null) return;
  try {
    const claim = await claimOldest(name);
    if (claim === undefined) return;
    if (claim === null) tell("nothing");
    else tell("started", { number: claim.number });
    void loading.load();
  } catch (error) {
    explain(error);
  }
}

function finish(order) {
  complain("");
  finishing.finish(order, order.status === "preparation" ? leaseLeft(order) : 0);
  tell(finishing.held() === null ? "finished_now" : "finished", { number: order.number });
  tick();
  keepFocus();
}

/** Take back the finish that is held back. */
export function undo() {
  const undone = finishing.undo();
  if (undone === null) tell("too_late");
  else tell("undone", { number: undone.number });
  tick();
  keepFocus();
}

async function release({ order_id: id, number }) {
  complain("");
  try {
    await call("POST", `/release/${id}/`);
    tell("released", { number });
  } catch (error) {
    explain(error);
  }
  await loading.load();
  keepFocus();
}

/** The button that was used may be gone: go on from the orders in hand. */
function keepFocus() {
  if (document.activeElement === document.body) byId("mine-title").focus();
}

const outcome = {
  sent({ id, number }, { collected }) {
    state.setOver(id);
    if (!collected) tell("not_collected", { number });
    loading.soon(0);
  },
  refused({ number }, problem) {
    complain(t("refused", { number, detail: problem.message }));
    void loading.load();
  },
  failed(error) {
    if (error instanceof Problem) explain(error);
  },
};

/** Send the finishes that are due; `closing`: the page may go at once. */
export function send(closing = false) {
  finishing.sendDue(outcome, closing);
}

/** Do what a number that was entered stands for; without one, start the oldest order. */
export function go(text) {
  const { waiting, mine, others } = state.sorted();
  const is = ({ number }) => number === Number(text);
  const toFinish = [...mine, ...waiting.filter(({ lapsed }) => lapsed)].find(is);
  const other = others.find(is);
  const field = byId("number");
  field.select();
  if (text !== "" && toFinish !== undefined) finish(toFinish);
  else if (text === "" || waiting.findIndex(is) === 0) void start();
  else if (other !== undefined) return tell("is_others", { number: text, name: other.barista ?? t("nameless") });
  else if (waiting.some(is)) return tell("not_next", { number: text, next: waiting[0].number });
  else return tell("unknown", { number: text });
  field.value = "";
}
