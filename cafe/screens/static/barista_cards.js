// The orders on the page: cards for mine and for those that wait, lines for others', and totals.

import { byId, keepList, make, say } from "./dom.js";
import { lateness } from "./barista_times.js";
import { count, t } from "./texts.js";

const MOST = 40; // cards; the totals count all orders

/** Return what an order consists of, as {quantity, name, extra}. */
function linesOf({ items, drink }) {
  if (items.length === 0) return [{ quantity: 1, name: drink, extra: null }];
  return items.map(({ quantity, name, variation }) => ({ quantity, name, extra: variation }));
}

function makeCard(order, ...buttons) {
  const name = order.name === null ? null : make("span", {}, order.name);
  const lines = linesOf(order).map(({ quantity, name: what, extra }) =>
    make("li", {}, make("b", {}, `${quantity} × ${what}`), extra === null ? null : make("span", {}, extra)),
  );
  return make(
    "li",
    { class: "card" },
    make("h3", {}, make("b", {}, String(order.number)), name),
    make("p", { class: "late" }),
    make("p", { class: "back", hidden: true }, t("back")),
    make("ul", { class: "lines" }, ...lines),
    buttons.length === 0 ? null : make("p", { class: "buttons" }, ...buttons),
  );
}

function updateCard(card, order) {
  const { level, text } = lateness(order);
  const late = card.querySelector(".late");
  late.className = `late ${level}`;
  say(late, text);
  card.querySelector(".back").hidden = !(order.lapsed && order.status === "waiting");
}

/** Return a listener that calls `act` for the first of two quick touches, such as a double click. */
export function once(act) {
  return ({ detail }) => {
    if (detail < 2) void act();
  };
}

function button(text, number, main, act) {
  const attributes = { type: "button", class: main ? "main" : false, onclick: once(act) };
  return make("button", attributes, t(text, { number }));
}

const key = ({ order_id: id, lapsed }) => `${id} ${lapsed}`;

/** Return how the lists are kept; `does.finish(order)` and `does.release(order)` are its buttons. */
function kinds(does) {
  const ready = (order, text) => button(text, order.number, true, () => does.finish(order));
  const back = (order) => button("release", order.number, false, () => does.release(order));
  return {
    mine: {
      key,
      create: (order) => makeCard(order, ready(order, "finish"), back(order)),
      update: updateCard,
    },
    waiting: {
      key,
      create: (order) => makeCard(order, ...(order.lapsed ? [ready(order, "finish_late")] : [])),
      update: updateCard,
    },
    others: { key, create: () => make("li", {}, make("b"), " ", make("span"), " ", make("small")), update: updateOther },
  };
}

function updateOther(item, order) {
  const { level, text } = lateness(order);
  const [number, who, late] = item.children;
  say(number, String(order.number));
  say(who, order.barista ?? t("nameless"));
  late.className = `late ${level}`;
  say(late, text);
}

/** Show the orders, which are sorted into `mine`, `waiting` and `others`. */
export function showOrders(sorted, does) {
  const lists = kinds(does);
  for (const name of Object.keys(lists)) {
    keepList(byId(name), sorted[name].slice(0, MOST), lists[name]);
    byId(`${name}-none`).hidden = sorted[name].length > 0;
  }
  const more = sorted.waiting.length - MOST;
  byId("waiting-more").hidden = more <= 0;
  if (more > 0) say(byId("waiting-more"), count("more", more));
}

/** Show how many of each product all these orders need, the most first. */
export function showTotals(waiting) {
  const totals = new Map(); // a product in lower case: {what, n}
  for (const { quantity, name, extra } of waiting.flatMap(linesOf)) {
    const what = extra === null ? name : `${name} · ${extra}`;
    const total = totals.get(what.toLowerCase());
    if (total === undefined) totals.set(what.toLowerCase(), { what, n: quantity });
    else total.n += quantity;
  }
  const rows = [...totals.values()].sort((one, two) => two.n - one.n || one.what.localeCompare(two.what));
  byId("totals").hidden = rows.length === 0;
  keepList(byId("totals").tBodies[0], rows, {
    key: ({ what }) => what.toLowerCase(),
    create: ({ what }) => make("tr", {}, make("th", { scope: "row" }, what), make("td")),
    update: (row, { n }) => say(row.lastElementChild, String(n)),
  });
}
