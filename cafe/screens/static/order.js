// The order page: the menu and the basket, or else the order under way, live.

import { call } from "./api.js";
import { ask, byId, complain } from "./dom.js";
import { showAccount, signInAnew, watchAccount } from "./order_account.js";
import { add, showBasket } from "./order_basket.js";
import { followOrder, unfollow } from "./order_follow.js";
import * as kept from "./order_kept.js";
import { loadMenu } from "./order_menu.js";
import { attempt, deliver, orderAndPay, orderAsGuest, page, stop, stopIfSettled, trouble } from "./order_place.js";
import { showLost, showPlaced, showSending } from "./order_state.js";
import { isSignedIn } from "./session.js";
import { t } from "./texts.js";

const PAUSE = 5000; // ms

let lost = null; // why the order is not followed: {why, enter}

function show() {
  const order = kept.order();
  const isUnderWay = order !== null && !order.stopped;
  byId("shop").hidden = isUnderWay;
  byId("mine").hidden = !isUnderWay;
  if (!isUnderWay) {
    document.title = t("title");
    showBasket(isSignedIn());
  } else if (order.order === null) showSending(order, trouble);
  else if (lost !== null) showLost(order, lost.why, lost);
  else showPlaced(order);
}

/** Go on where this browser stands: follow its order, or send what was not answered. */
function resume() {
  const order = kept.order();
  if (followOrder(order?.order?.order_id ?? null, heard)) lost = null;
  show();
  if (order !== null && order.order === null && !order.stopped) deliver();
}

const heard = {
  order(standing) {
    const order = kept.order();
    if (order?.order?.order_id !== standing.order_id) return;
    lost = null;
    kept.keepOrder({ ...order, order: { ...order.order, ...standing } });
    show();
  },
  gone: () => lose(t("forgotten")),
  refused(problem) {
    const order = kept.order();
    if (order?.order && order.account !== null) lose(t("sign_in_to_see", { email: order.account }), true);
    else if (problem.status === 401) setTimeout(signedInOrOut, isSignedIn() ? PAUSE : 0); // or as a guest
    else if (order?.order) lose(t("forgotten"));
    else complain(problem.message);
    showAccount();
  },
  connected() {
    if (byId("menu").childElementCount === 0) refreshMenu();
  },
};

function lose(why, enter = false) {
  lost = { why, enter };
  show();
}

function signedInOrOut() {
  unfollow();
  resume();
}

async function cancel() {
  if ((await ask(byId("cancelling"))) !== "yes") return;
  const { path, order } = kept.order();
  const of = path === "/order/" ? `/order/${order.order_id}` : `/orders/${order.order_id}`;
  complain("");
  await attempt(async () => heard.order({ ...(await call("DELETE", of)), payment: order.payment }));
  byId("mine-title").focus();
}

function orderAgain() {
  kept.forgetOrder();
  complain("");
  resume();
  refreshMenu();
  byId("menu-title").focus();
}

async function refreshMenu() {
  await attempt(() => loadMenu(add));
  show();
}

Object.assign(page, { show, refreshMenu, resume, signIn: signInAnew });
byId("guest").addEventListener("submit", (event) => {
  event.preventDefault();
  orderAsGuest();
});
byId("name").addEventListener("input", ({ target }) => kept.keepBasket({ ...kept.basket(), name: target.value }));
byId("pay").onclick = orderAndPay;
byId("stop").onclick = stop;
byId("cancel").onclick = cancel;
byId("again").onclick = orderAgain;
addEventListener("basket", show);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refreshMenu();
});
watchAccount(signedInOrOut);
kept.onOtherTab(() => {
  stopIfSettled();
  resume();
});
resume();
refreshMenu();
showAccount();
