// One order in a dialog: what it is, how it is paid, what has happened; cancelling it.

import { call } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { ask, closing, view } from "./manager_dialog.js";
import { keepLoaded, sentence } from "./manager_live.js";
import { button, buttons, listing } from "./manager_parts.js";
import { sum, when, word } from "./manager_words.js";
import { t } from "./texts.js";

/** Show an order, as it stands from now on until the dialog is closed. */
export function showOrder(id) {
  const path = `/orders/${encodeURIComponent(id)}`;
  const facts = make("dl", { class: "facts" });
  const trouble = make("p", { role: "alert" });
  const history = listing(t("history"), [t("time"), t("event"), t("status")], {
    key: ({ position }) => position,
    cells: ({ occurred_at: at, action, status }) => [when(at), word("action", action), word("status", status)],
  });
  const cancel = button(t("cancel_order"), () => askToCancel(path, loader.now), { hidden: true });
  const content = make("div", {}, facts, history.element, trouble, buttons(cancel, closing()));
  async function load() {
    try {
      const [order, { events }] = await Promise.all([call("GET", path), call("GET", `${path}/events`)]);
      fill(facts, ...factsOf(order));
      history.show(events);
      cancel.hidden = order.status !== "waiting";
      trouble.textContent = "";
    } catch (error) {
      if (error.status === 401) throw error;
      trouble.textContent = sentence(error);
    }
  }
  view(t("order"), content, () => loader.stop());
  // A payment has an id of its own: its events do not say which order it is for.
  const about = ({ subject }, department) => department === "payments" || subject === id;
  const loader = keepLoaded(["orders", "payments", "delivery"], load, { about });
}

function factsOf(order) {
  const facts = [
    [t("number"), String(order.number)],
    [t("name"), order.name],
    [t("status"), word("status", order.status)],
    [t("payment"), word("payment", order.payment.status)],
    [t("total"), order.total_cents === null ? null : sum(order.total_cents)],
    [t("what"), order.items.length === 0 ? order.drink : make("ul", {}, ...order.items.map(itemOf))],
    [t("fulfilment"), fulfilmentOf(order.fulfilment)],
    [t("metadata"), order.metadata === null ? null : JSON.stringify(order.metadata)],
    [t("placed"), when(order.placed_at)],
    [t("ready_at"), order.ready_at === null ? null : when(order.ready_at)],
    [t("order_id"), order.order_id],
  ];
  return facts
    .filter(([, value]) => value !== null)
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}

function itemOf({ name, variation, quantity, total_cents: total }) {
  return make("li", {}, `${quantity} × ${variation === null ? name : `${name} (${variation})`}, ${sum(total)}`);
}

function fulfilmentOf({ type, district, address }) {
  return type === "delivery" ? [t("fulfilment_delivery"), district, address].filter(Boolean).join(", ") : t("fulfilment_counter");
}

function askToCancel(path, done) {
  ask({ title: t("cancel_order"), text: t("cancel_order_text"), submit: t("cancel_order") }, async () => {
    await call("DELETE", path);
    announce(t("order_cancelled"));
    await done();
  });
}
