// Deliveries by status, with what a manager can do about each; below, couriers and districts.

import { call } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { openCouriers } from "./manager_couriers.js";
import { ask, orNull } from "./manager_dialog.js";
import { keepLoaded } from "./manager_live.js";
import { showOrder } from "./manager_order.js";
import { badge, button, buttons, choice, listing } from "./manager_parts.js";
import { when, word, words } from "./manager_words.js";
import { t } from "./texts.js";

const STATUSES = ["waiting", "assigned", "picked_up", "failed", "delivered", "cancelled"];
const OPEN = ["waiting", "assigned", "picked_up", "failed"];
const CARRIED = ["assigned", "picked_up"];
const MOST = 50;

export function open(element) {
  let status = "";
  let couriers = new Map(); // names by id
  const again = () => loader.now();
  const heads = [t("number"), t("district"), t("address"), t("status"), t("courier"), t("since"), t("actions")];
  const deliveries = listing(t("deliveries"), heads, {
    key: ({ order_id: id }) => id,
    cells: (delivery) => [
      delivery.number === null ? delivery.name : String(delivery.number),
      delivery.district,
      delivery.address ?? "–",
      make("span", {}, badge(word("delivery", delivery.status), delivery.status), delivery.reason === null ? null : make("small", {}, delivery.reason)),
      delivery.courier ?? "–",
      when(delivery.ended_at ?? delivery.picked_up_at ?? delivery.assigned_at ?? delivery.requested_at),
      actionsOf(delivery, () => couriers, again),
    ],
  });
  async function load() {
    const query = new URLSearchParams({ limit: MOST });
    if (status !== "") query.set("status", status);
    const found = await call("GET", `/deliveries?${query}`);
    deliveries.show(found.deliveries.map((one) => ({ ...one, courier: couriers.get(one.courier_id)?.name ?? null })));
  }
  const loader = keepLoaded(["delivery"], load);
  const filter = (value) => {
    status = value;
    loader.now();
  };
  const below = make("div");
  fill(
    element,
    make("div", { class: "filters" }, choice(t("status"), [["", t("all")], ...words("delivery", STATUSES)], filter)),
    deliveries.element,
    below,
  );
  const stop = openCouriers(below, (found) => {
    couriers = new Map(found.map((one) => [one.courier_id, one]));
    loader.now();
  });
  return () => {
    stop();
    loader.stop();
  };
}

function actionsOf(delivery, couriers, again) {
  const { order_id: id, status, number, name } = delivery;
  const about = { of: number ?? name };
  const path = `/deliveries/${id}`;
  const retry = async () => {
    await call("POST", `${path}/retry`);
    announce(t("is_retried"));
    await again();
  };
  return buttons(
    button(t("details"), () => showOrder(id), about),
    status === "failed" ? button(t("retry"), retry, about) : null,
    CARRIED.includes(status) ? button(t("reassign"), () => askToReassign(delivery, couriers(), path, again), about) : null,
    OPEN.includes(status) ? button(t("cancel"), () => askToCancel(path, again), about) : null,
  );
}

function askToReassign({ district_id: district, courier_id: courier }, couriers, path, again) {
  const others = [...couriers.values()].filter(
    (one) => one.on_duty && one.courier_id !== courier && one.active_order === null && one.districts.includes(district),
  );
  const options = [["", t("any_courier")], ...others.map((one) => [one.courier_id, one.name])];
  const fields = [{ name: "courier", label: t("courier"), options }];
  ask({ title: t("reassign"), text: t("reassign_text"), fields, submit: t("reassign") }, async (values) => {
    await call("POST", `${path}/reassign`, { body: { courier_id: orNull(values.courier) } });
    announce(t("is_reassigned"));
    await again();
  });
}

function askToCancel(path, again) {
  const fields = [{ name: "reason", label: t("reason"), maxlength: 500 }];
  ask({ title: t("cancel_delivery"), text: t("cancel_delivery_text"), fields, submit: t("cancel_delivery") }, async ({ reason }) => {
    await call("POST", `${path}/cancel`, { body: { reason: orNull(reason) } });
    announce(t("is_cancelled"));
    await again();
  });
}
