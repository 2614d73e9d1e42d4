// What a courier has in hand, and the buttons for what can be done next.

import { byId, fill, make, say } from "./dom.js";
import { clock, count, t } from "./texts.js";

/** Show the courier and the delivery in hand, which may be null. */
export function showHand(me, delivery) {
  const { on_duty: onDuty, completed } = me;
  say(byId("duty"), `${t(onDuty ? "on_duty" : "off_duty")} · ${count("brought", completed)}`);
  say(byId("change-duty"), t(onDuty ? "go_off" : "go_on"));
  byId("change-duty").className = delivery === null && !onDuty ? "main" : "";
  const status = delivery?.status;
  byId("pickup").hidden = status !== "assigned";
  byId("finish").hidden = status !== "picked_up";
  byId("fail").hidden = delivery === null;
  const hand = byId("hand");
  const now = JSON.stringify([onDuty, delivery]);
  if (hand.dataset.shown === now) return; // else it would be read out again
  hand.dataset.shown = now;
  hand.className = `card ${status ?? "empty"}`;
  fill(hand, ...(delivery === null ? [make("p", {}, t(onDuty ? "none_yet" : "none_off"))] : parts(delivery)));
  document.title = delivery === null ? t("title") : `${name(delivery)}: ${t(`is_${status}`)}`;
}

/** Return a delivery in words. */
export function name({ number, name: what }) {
  if (number === null) return what ?? t("order");
  return t("order_number", { number });
}

function parts(delivery) {
  const { address, district, attempts, name: what } = delivery;
  return [
    make("p", { class: "number" }, name(delivery)),
    make("p", { class: "address" }, address ?? t("no_address")),
    make("p", {}, district),
    what === null || delivery.number === null ? null : make("p", { class: "what" }, what),
    attempts === 0 ? null : make("p", {}, count("attempts", attempts)),
    make("p", { class: "next" }, next(delivery)),
  ];
}

function next({ status, lease_expires_at: until, picked_up_at: at }) {
  if (status === "picked_up") return t("picked_up_at", { time: clock(new Date(at)) });
  return until === null ? t("is_assigned") : t("pick_up_until", { time: clock(new Date(until)) });
}
