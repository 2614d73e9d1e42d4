// Today, or another day: figures, charts, and the orders that are open now.

import { call, pages } from "./api.js";
import { bars, columns, figure } from "./chart.js";
import { fill, make } from "./dom.js";
import { keepLoaded } from "./manager_live.js";
import { showOrder } from "./manager_order.js";
import { badge, button, listing } from "./manager_parts.js";
import { dayOf, hour, lasted, when, word } from "./manager_words.js";
import { t } from "./texts.js";

const MOST = 100; // open orders that are shown
const PAUSE = 5000; // ms between two reports: the shop reads all orders of the day for one

export function open(element) {
  const day = make("input", { type: "date", value: dayOf(new Date()), max: dayOf(new Date()), required: true });
  const figures = make("dl", { class: "figures" });
  const charts = make("div", { class: "charts" });
  const queue = listing(t("queue"), [t("number"), t("what"), t("name"), t("status"), t("placed"), t("actions")], {
    key: ({ id }) => id,
    none: t("queue_empty"),
    cells: ({ id, number, drink, name, status, placed }) => [
      String(number),
      drink,
      name ?? "–",
      badge(word("status", status), status),
      when(placed),
      button(t("details"), () => showOrder(id), { of: number }),
    ],
  });
  fill(element, make("label", { class: "narrow" }, t("day"), day), figures, charts, queue.element);
  async function loadReport() {
    const report = await call("GET", `/admin/report?day=${day.value}`);
    fill(figures, ...figuresOf(report));
    showCharts(charts, report);
  }
  async function loadQueue() {
    const orders = await pages(`/orders?limit=${MOST}`, "orders", MOST);
    queue.show(
      orders.map(({ order_id: id, number, drink, name, status, placed_at: placed }) => ({ id, number, drink, name, status, placed })),
    );
  }
  const report = keepLoaded(["orders"], loadReport, { every: PAUSE });
  const live = keepLoaded(["orders"], loadQueue);
  day.addEventListener("change", () => day.value !== "" && report.now());
  return () => {
    report.stop();
    live.stop();
  };
}

function figuresOf({ orders, ready, cancelled, cut_off: cutOff, abandoned, not_ready_yet: open, wait_seconds: wait }) {
  const figures = [
    [t("figure_orders"), orders],
    [t("figure_ready"), ready],
    [t("figure_open"), open],
    [t("figure_cancelled"), cancelled + cutOff + abandoned],
    [t("median_wait"), lasted(wait?.median)],
    [t("p95_wait"), lasted(wait?.p95)],
    [t("worst_wait"), lasted(wait?.worst)],
  ];
  return figures.map(([name, value]) => make("div", { class: "card" }, make("dt", {}, name), make("dd", {}, String(value))));
}

function showCharts(element, report) {
  // What is unfolded stays so.
  const unfolded = [...element.querySelectorAll("details")].map(({ open }) => open);
  fill(element, byHour(report), spreads(report), byProduct(report));
  element.querySelectorAll("details").forEach((one, index) => (one.open = unfolded[index] ?? false));
}

function byHour({ hours }) {
  const title = t("chart_hours");
  const values = hours.map(({ start, orders }) => ({ label: hour(start), value: orders, text: String(orders) }));
  const rows = hours.map(({ start, orders }) => [hour(start), String(orders)]);
  return chart(title, columns, values, [t("hour"), t("figure_orders")], rows);
}

function spreads({ wait_seconds: wait, brewing_seconds: brewing }) {
  const title = t("chart_waits");
  const spread = (name, of) =>
    ["median", "p95", "worst"].map((part) => ({ label: `${name}, ${t(part)}`, value: of[part], text: lasted(of[part]) }));
  const values = [
    ...(wait === null ? [] : spread(t("wait"), wait)),
    ...(brewing === null ? [] : spread(t("brewing"), brewing)),
  ];
  return chart(title, bars, values, [t("what"), t("minutes_seconds")], values.map(({ label, text }) => [label, text]));
}

function byProduct({ products }) {
  const title = t("chart_products");
  const brewed = products.filter(({ brewing_seconds: brewing }) => brewing !== null);
  const name = (product) => product.name ?? t("mixed");
  const values = brewed.slice(0, 10).map((product) => ({
    label: name(product),
    value: product.brewing_seconds.median,
    text: `${lasted(product.brewing_seconds.median)} (${product.ready})`,
  }));
  const rows = brewed.map((product) => {
    const { median, p95, worst } = product.brewing_seconds;
    return [name(product), String(product.ready), ...[median, p95, worst].map(lasted)];
  });
  return chart(title, bars, values, [t("what"), t("figure_ready"), t("median"), t("p95"), t("worst")], rows);
}

function chart(title, draw, values, heads, rows) {
  if (values.length === 0) {
    return make("section", { class: "card" }, make("h3", {}, title), make("p", {}, t("nothing_yet")));
  }
  return figure(title, draw(title, values), { summary: t("as_table"), heads, rows });
}
