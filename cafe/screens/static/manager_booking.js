// One booking in a dialog: what overlaps it, accept, decline, cancel; and a booking by telephone.

import { call, pages } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { ask, closing, orNull, view } from "./manager_dialog.js";
import { keepLoaded, sentence } from "./manager_live.js";
import { button } from "./manager_parts.js";
import { hour, when, word } from "./manager_words.js";
import { count, t } from "./texts.js";

const STEPS = { requested: ["accept", "decline", "cancel"], accepted: ["cancel"] };

/** Show a booking as it stands, until it is decided or closed. */
export function showBooking({ booking_id: id }) {
  const path = `/admin/bookings/${id}`;
  const facts = make("dl", { class: "facts" });
  const overlaps = make("div", { "aria-live": "polite" });
  const reason = make("input", { maxlength: 500 });
  const why = make("label", {}, t("reason_for_guest"), reason);
  const trouble = make("p", { role: "alert" });
  const steps = make("p", { class: "buttons" });
  async function load() {
    const booking = await call("GET", path);
    fill(facts, ...factsOf(booking));
    fill(overlaps, overlapsOf(t("overlaps"), booking.conflicts, booking.status === "requested" ? t("overlaps_declined") : null));
    const allowed = STEPS[booking.status] ?? [];
    why.hidden = allowed.length === 0;
    const names = allowed.join(" ");
    if (steps.dataset.of === names) return;
    steps.dataset.of = names;
    fill(steps, ...allowed.map((step) => button(t(`booking_to_${step}`), () => decide(step), { class: step === "accept" ? "main" : null })), closing());
  }
  async function decide(step) {
    trouble.textContent = "";
    try {
      const decided = await call("POST", `${path}/${step}`, { body: { reason: orNull(reason.value.trim()) } });
      const others = decided.declined.length;
      announce([t("booking_is", { status: word("booking", decided.status) }), others === 0 ? "" : count("also_declined", others)].join(" ").trim());
      dialog.close();
    } catch (error) {
      if (error.status === 401) throw error;
      trouble.textContent = sentence(error);
      await loader.now(); // it says what is in the way
    }
  }
  const dialog = view(t("booking"), make("div", {}, facts, overlaps, why, trouble, steps), () => loader.stop());
  const loader = keepLoaded(["bookings"], load);
}

function factsOf(booking) {
  const { from, to, table, party, name, status, reason, requested_at: asked } = booking;
  const facts = [
    [t("time"), `${when(from)} – ${hour(to)}`],
    [t("table"), t("lane", { number: table.number, seats: table.seats })],
    [t("name"), name],
    [t("party"), String(party)],
    [t("contact"), contactOf(booking)],
    [t("status"), word("booking", status)],
    [t("reason"), reason],
    [t("requested_at"), when(asked)],
  ];
  return facts
    .filter(([, value]) => value !== null)
    .map(([fact, value]) => make("div", {}, make("dt", {}, fact), make("dd", {}, value)));
}

/** Return how a guest can be reached. */
export function contactOf({ email, phone }) {
  return [email, phone].filter(Boolean).join(", ");
}

function overlapsOf(title, bookings, consequence = null) {
  if (bookings.length === 0) return null;
  const items = bookings.map(({ from, to, name, party, status }) =>
    make("li", {}, `${when(from)} – ${hour(to)}, ${name ?? "–"}, ${count("people", party)}: ${word("booking", status)}`),
  );
  return make("div", { class: "notice" }, make("p", {}, title), make("ul", {}, ...items), consequence === null ? null : make("p", {}, consequence));
}

/** Book a table for a guest who has called; it is accepted at once. */
export function askForBooking(tables, day, done) {
  const open = tables.filter(({ status }) => status === "open");
  const options = open.map(({ table_id: id, number, seats }) => [id, t("lane", { number, seats })]);
  const fields = [
    { name: "table_id", label: t("table"), options, value: open[0]?.table_id ?? "", required: true },
    { name: "from", label: t("from"), type: "datetime-local", value: `${day}T19:00`, required: true },
    { name: "to", label: t("to"), type: "datetime-local", value: `${day}T21:00`, required: true },
    { name: "party", label: t("party"), type: "number", min: 1, max: 1000, value: 2, required: true },
    { name: "name", label: t("name"), maxlength: 80 },
    { name: "phone", label: t("phone"), type: "tel", maxlength: 32 },
    { name: "email", label: t("email"), type: "email", maxlength: 254 },
  ];
  const bodyOf = (values) => ({
    table_id: values.table_id,
    from: new Date(values.from).toISOString(),
    to: new Date(values.to).toISOString(),
    party: values.party,
    name: orNull(values.name),
    phone: orNull(values.phone),
    email: orNull(values.email),
  });
  const explain = async (problem, values) => {
    if (problem.status !== 409) return null;
    const { table_id: table, from, to } = bodyOf(values);
    const found = await pages(`/admin/bookings?${new URLSearchParams({ status: "accepted", from, to })}`, "bookings");
    return overlapsOf(t("overlaps"), found.filter((one) => one.table_id === table));
  };
  ask({ title: t("add_booking"), fields, submit: t("add_booking"), explain }, async (values) => {
    await call("POST", "/admin/bookings", { body: bodyOf(values) });
    announce(t("booking_is", { status: word("booking", "accepted") }));
    await done();
  });
}
