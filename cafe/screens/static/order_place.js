// Placing an order: what the basket becomes, and what each refusal means for it.

import { Problem, Unreachable } from "./api.js";
import { ask, byId, complain, say } from "./dom.js";
import { customer } from "./order_account.js";
import { isPlain, total } from "./order_basket.js";
import { showPause } from "./order_follow.js";
import * as kept from "./order_kept.js";
import { OthersOrder, TooLate, isRefusal, send } from "./order_send.js";
import { money, t } from "./texts.js";

let sending = null; // the order, and what stops it: {begun, stop}

/** What the page does meanwhile; the page puts functions here. */
export const page = {
  /** Show what is kept. */
  show: () => {},
  /** Load the menu again. */
  refreshMenu: async () => {},
  /** Go on: follow the order, or send one that is kept. */
  resume: () => {},
  /** Ask for credentials. */
  signIn: async () => {},
};

/** Why the last attempt of the order that is being sent failed; empty if it has not. */
export let trouble = "";

/** Send the order that is kept, unless that is being done. */
export async function deliver() {
  if (sending !== null) return;
  const begun = kept.order();
  const stopping = new AbortController();
  sending = { begun, stop: () => stopping.abort() };
  trouble = "";
  complain("");
  page.show();
  byId("mine-title").focus();
  try {
    const isOurs = async () => begun.account === null || (await customer())?.email === begun.account;
    const failed = (error) => explainDelay(begun, error);
    const placed = await send(begun, { isOurs, failed, stopped: stopping.signal });
    if (kept.isOpen(begun)) {
      kept.keepOrder({ ...begun, order: { ...placed, payment: placed.payment?.status } });
      kept.keepBasket({ ...kept.basket(), lines: [] });
    }
  } catch (error) {
    if (kept.isOpen(begun)) await notPlaced(begun, error);
  } finally {
    sending = null;
    page.resume();
  }
}

/** Stop sending; whether the order was placed stays unknown, and its key is kept. */
export function stop() {
  sending?.stop();
}

/** Stop sending what another tab has had answered, has stopped or has replaced. */
export function stopIfSettled() {
  if (sending !== null && !kept.isOpen(sending.begun)) stop();
}

/** Order one plain product, which is paid at the counter. */
export async function orderAsGuest() {
  if (!isPlain()) return;
  const { lines, name } = kept.basket();
  const body = { drink: lines[0].product_id, ...(name.trim() === "" ? {} : { name: name.trim() }) };
  kept.begin({ path: "/order/", body, account: null, lines, total: total() });
  await deliver();
}

/** Order the basket as the customer who has signed in. */
export async function orderAndPay() {
  const { lines } = kept.basket();
  const items = lines.map(({ product_id, variation_id, quantity }) => ({ product_id, variation_id, quantity }));
  await attempt(async () => {
    const account = (await customer())?.email ?? null;
    const body = { items, total_cents: total() };
    kept.begin({ path: "/orders", body, account, lines, total: total() });
    await deliver();
  });
}

/** Do something, and show why if it does not work. */
export async function attempt(action) {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    complain(reason(error));
    if (error.status === 401) await page.signIn();
    page.show();
  }
}

function reason(error) {
  return error instanceof Problem ? error.message : t("unreachable");
}

function explainDelay({ account }, error) {
  trouble = error instanceof OthersOrder ? t("sign_in_to_see", { email: account }) : reason(error);
  page.show();
}

async function notPlaced(begun, error) {
  if (isRefusal(error)) kept.forgetOrder();
  else kept.keepOrder({ ...begun, stopped: true }); // the same wish gets the same key
  page.show();
  byId("basket-title").focus();
  if (error.name === "AbortError") return;
  if (error instanceof TooLate) complain(t("too_late"));
  else if (!(error instanceof Problem)) throw error;
  else await explain(begun, error);
}

async function explain(begun, { status, members, message }) {
  if (status === 409 && members.total_cents !== undefined) {
    await askAgain(begun, members.total_cents);
    return;
  }
  if (status === 503 && members.reason === "paused") showPause(members, false);
  complain(message);
  if (status === 409 || status === 422) await page.refreshMenu();
  if (status === 401) await page.signIn();
}

async function askAgain(begun, cents) {
  await page.refreshMenu();
  say(byId("new-total-text"), t("total_is", { before: money(begun.total), now: money(cents) }));
  say(byId("accept-total"), t("order_for", { total: money(cents) }));
  if ((await ask(byId("new-total"))) !== "yes") return;
  kept.begin({ ...begun, body: { ...begun.body, total_cents: cents }, total: cents }); // sent by resume()
}
