// Orders of all baskets with their payments, page by page, and any order by its id.

import { json, request } from "./api.js";
import { fill, make } from "./dom.js";
import { keepLoaded } from "./manager_live.js";
import { showOrder } from "./manager_order.js";
import { badge, button, choice, listing } from "./manager_parts.js";
import { sum, when, word, words } from "./manager_words.js";
import { t } from "./texts.js";

const STATUSES = ["waiting", "preparation", "ready", "delivered", "cancelled"];
const PAYMENTS = ["placed", "refund_pending", "refunded", "refused", "at_counter", "not_required", "asked", "paid", "intent"];
const ON_PAGE = 25;

export function open(element) {
  const wanted = { status: "", payment: "" };
  let cursors = [""]; // of the pages up to the one that is shown
  let next = null;
  const orders = listing(t("orders"), heads(), { key: ({ id }) => id, cells });
  const turn = (pages) => () => {
    cursors = pages();
    return loader.now();
  };
  const newer = button(t("newer"), turn(() => cursors.slice(0, -1)));
  const older = button(t("older"), turn(() => [...cursors, next]));
  async function load() {
    const query = new URLSearchParams({ limit: ON_PAGE });
    const filters = { ...wanted, cursor: cursors.at(-1) };
    for (const [name, value] of Object.entries(filters)) if (value !== "") query.set(name, value);
    const response = await request("GET", `/admin/orders?${query}`);
    orders.show((await json(response)).orders.map(shownOf));
    const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "");
    next = link === null ? null : new URL(link[1], location.href).searchParams.get("cursor");
    newer.disabled = cursors.length === 1;
    older.disabled = next === null;
  }
  const loader = keepLoaded(["orders", "payments"], load);
  const filter = (name) => (value) => {
    wanted[name] = value;
    cursors = [""];
    loader.now();
  };
  fill(
    element,
    make(
      "div",
      { class: "filters" },
      choice(t("status"), [["", t("all")], ...words("status", STATUSES)], filter("status")),
      choice(t("payment"), [["", t("all")], ...words("payment", PAYMENTS)], filter("payment")),
      searchById(),
    ),
    orders.element,
    make("nav", { class: "buttons", "aria-label": t("pages") }, newer, older),
  );
  return loader.stop;
}

function searchById() {
  const id = make("input", { name: "id", maxlength: 64, required: true, autocomplete: "off", spellcheck: "false" });
  const form = make("form", { class: "search" }, make("label", {}, t("order_id"), id), make("button", { type: "submit" }, t("show")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    showOrder(id.value.trim());
  });
  return form;
}

function heads() {
  return [t("number"), t("what"), t("status"), t("payment"), t("total"), t("placed"), t("actions")];
}

function shownOf({ order_id: id, number, drink, name, status, payment, total_cents: total, placed_at: placed }) {
  return { id, number, drink, name, status, payment: payment.status, total, placed };
}

function cells({ id, number, drink, name, status, payment, total, placed }) {
  return [
    String(number),
    name === null ? drink : `${drink} – ${name}`,
    badge(word("status", status), status),
    badge(word("payment", payment), payment),
    sum(total),
    when(placed),
    button(t("details"), () => showOrder(id), { of: number }),
  ];
}
