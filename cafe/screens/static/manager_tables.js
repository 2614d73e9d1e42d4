// Tables and bookings: open requests, a day as lanes and as a list, and the tables themselves.

import { call, pages } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { askForBooking, contactOf, showBooking } from "./manager_booking.js";
import { ask } from "./manager_dialog.js";
import { lanes } from "./manager_lanes.js";
import { keepLoaded } from "./manager_live.js";
import { badge, button, buttons, heading, listing } from "./manager_parts.js";
import { cents, dayOf, hour, sum, when, word, words } from "./manager_words.js";
import { t } from "./texts.js";

const TYPES = ["regular", "cabin", "room"];

export function open(element) {
  let known = []; // the tables
  const again = () => loader.now();
  const day = make("input", { type: "date", value: dayOf(new Date()), required: true });
  const move = (days) => () => {
    const [begin] = limits(day.value);
    begin.setDate(begin.getDate() + days);
    day.value = dayOf(begin);
    return again();
  };
  const heads = [t("time"), t("table"), t("name"), t("party"), t("contact"), t("status"), t("actions")];
  const requests = listing(t("requests"), heads, { key: idOf, cells: (one) => cellsOf(one, when), none: t("no_requests") });
  const bookings = listing(t("bookings"), heads, { key: idOf, cells: (one) => cellsOf(one, hour), none: t("no_bookings") });
  const picture = make("div");
  const tables = listing(t("all_tables"), [t("table"), t("kind"), t("seats"), t("price"), t("status"), t("actions")], {
    key: ({ table_id: id }) => id,
    cells: (one) => [
      String(one.number),
      word("table", one.type),
      String(one.seats),
      sum(one.price_cents),
      badge(word("table", one.status), one.status === "open" ? "ready" : ""),
      tableActions(one, again),
    ],
  });
  fill(
    element,
    requests.element,
    heading(t("lanes")),
    make(
      "div",
      { class: "filters" },
      make("label", {}, t("day"), day),
      button(t("day_before"), move(-1)),
      button(t("day_after"), move(1)),
      button(t("add_booking"), () => askForBooking(known, day.value, again)),
    ),
    picture,
    bookings.element,
    tables.element,
    buttons(button(t("add_table"), () => askForTable(null, again))),
  );
  async function load() {
    if (day.value === "") return;
    const [from, to] = limits(day.value).map((one) => one.toISOString());
    const [all, asked, ofDay] = await Promise.all([
      pages("/admin/tables", "tables"),
      pages("/admin/bookings?status=requested", "bookings", 100),
      pages(`/admin/bookings?${new URLSearchParams({ from, to })}`, "bookings"),
    ]);
    known = all;
    tables.show(all);
    requests.show(asked);
    bookings.show(ofDay);
    const standing = ofDay.filter(({ status }) => status === "accepted" || status === "requested");
    fill(picture, lanes(limits(day.value), all, standing, showBooking));
  }
  day.addEventListener("change", again);
  const loader = keepLoaded(["bookings"], load);
  return loader.stop;
}

function limits(day) {
  const [year, month, date] = day.split("-").map(Number);
  return [new Date(year, month - 1, date), new Date(year, month - 1, date + 1)];
}

function idOf({ booking_id: id }) {
  return id;
}

function cellsOf(booking, written) {
  const { from, to, table, name, party, status, reason } = booking;
  return [
    `${written(from)} – ${hour(to)}`,
    String(table.number),
    name ?? "–",
    String(party),
    contactOf(booking),
    make("span", {}, badge(word("booking", status), status), reason === null ? null : make("small", {}, reason)),
    button(t("details"), () => showBooking(booking), { of: `${name ?? ""} ${written(from)}`.trim() }),
  ];
}

function tableActions(one, again) {
  const about = { of: one.number };
  const step = one.status === "open" ? "close" : "open";
  const turn = async () => {
    await call("POST", `/admin/tables/${one.table_id}/${step}`);
    announce(t("is_saved", { name: `${t("table")} ${one.number}` }));
    await again();
  };
  return buttons(
    button(t(`table_to_${step}`), turn, about),
    button(t("edit"), () => askForTable(one, again), about),
  );
}

function askForTable(one, again) {
  const fields = [
    { name: "number", label: t("number"), hint: t("number_hint"), type: "number", min: 1, max: 1_000_000 },
    { name: "type", label: t("kind"), options: words("table", TYPES), value: one?.type ?? "regular" },
    { name: "seats", label: t("seats"), type: "number", min: 1, max: 1000, required: true, value: one?.seats ?? 2 },
    { name: "price", label: t("price"), type: "number", min: 0, step: 0.01, required: true, value: ((one?.price_cents ?? 0) / 100).toFixed(2) },
  ].slice(one === null ? 0 : 1); // a table keeps its number
  const title = one === null ? t("add_table") : `${t("table")} ${one.number}`;
  ask({ title, fields, submit: t("save") }, async ({ price, ...values }) => {
    const body = { ...values, price_cents: cents(price) };
    if (one === null) await call("POST", "/admin/tables", { body });
    else await call("PATCH", `/admin/tables/${one.table_id}`, { body });
    announce(t("is_saved", { name: title }));
    await again();
  });
}
