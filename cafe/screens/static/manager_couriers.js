// Couriers: who is on duty and what is in hand; and the districts that they serve.

import { call, pages } from "./api.js";
import { announce, fill } from "./dom.js";
import { ask, orNull } from "./manager_dialog.js";
import { keepLoaded } from "./manager_live.js";
import { badge, button, buttons, listing } from "./manager_parts.js";
import { lasted } from "./manager_words.js";
import { t } from "./texts.js";

/** Show couriers and districts; `loaded(couriers)` is called with what was loaded. */
export function openCouriers(element, loaded) {
  let districts = [];
  const again = () => loader.now();
  const nameOf = (id) => districts.find(({ district_id: of }) => of === id)?.name ?? id;
  const heads = [t("courier"), t("districts"), t("duty"), t("in_hand"), t("delivered_count"), t("average"), t("actions")];
  const couriers = listing(t("couriers"), heads, {
    key: ({ courier_id: id }) => id,
    cells: (one) => [
      one.name,
      one.named,
      one.retired ? badge(t("retired")) : badge(t(one.on_duty ? "on_duty" : "off_duty"), one.on_duty ? "ready" : ""),
      one.active_order === null ? "–" : t("one_order"),
      String(one.completed),
      lasted(one.avg_order_complete_time),
      courierActions(one, districts, again),
    ],
  });
  const places = listing(t("districts"), [t("district"), t("status"), t("actions")], {
    key: ({ district_id: id }) => id,
    cells: (one) => [one.name, badge(t(one.retired ? "retired" : "served")), districtActions(one, again)],
  });
  fill(
    element,
    couriers.element,
    buttons(button(t("add_courier"), () => askForCourier(null, districts, again))),
    places.element,
    buttons(button(t("add_district"), () => askForDistrict(null, again))),
  );
  const loader = keepLoaded(["delivery"], async () => {
    const [found, all] = await Promise.all([pages("/couriers", "couriers"), pages("/districts", "districts")]);
    districts = all;
    places.show(all);
    couriers.show(found.map((one) => ({ ...one, named: one.districts.map(nameOf).join(", ") })));
    loaded(found);
  });
  return loader.stop;
}

function courierActions(one, districts, again) {
  const about = { of: one.name };
  const change = (body) => async () => {
    await call("PATCH", `/couriers/${one.courier_id}`, { body });
    announce(t("is_saved", { name: one.name }));
    await again();
  };
  const retire = button(t(one.retired ? "take_up_again" : "retire"), change({ retired: !one.retired }), about);
  if (one.retired) return buttons(retire);
  const duty = button(t(one.on_duty ? "send_off_duty" : "send_on_duty"), change({ on_duty: !one.on_duty }), about);
  return buttons(duty, button(t("edit"), () => askForCourier(one, districts, again), about), retire);
}

function askForCourier(one, districts, again) {
  const served = districts.filter(({ retired, district_id: id }) => !retired || one?.districts.includes(id));
  const fields = [
    { name: "name", label: t("name"), value: one?.name ?? "", required: true, maxlength: 80 },
    ...served.map(({ district_id: id, name }) => ({ name: `in-${id}`, label: name, type: "checkbox", value: one?.districts.includes(id) ?? false })),
  ];
  const account = { name: "account", label: t("courier_account"), hint: t("courier_account_hint"), maxlength: 64 };
  if (one === null) fields.push(account);
  const title = one === null ? t("add_courier") : t("edit_product", { name: one.name });
  ask({ title, fields, submit: t("save") }, async (values) => {
    const body = { name: values.name, districts: served.map(({ district_id: id }) => id).filter((id) => values[`in-${id}`]) };
    if (one === null) await call("POST", "/couriers", { body: { ...body, account: orNull(values.account) } });
    else await call("PATCH", `/couriers/${one.courier_id}`, { body });
    announce(t("is_saved", { name: values.name }));
    await again();
  });
}

function districtActions(one, again) {
  const about = { of: one.name };
  const retire = async () => {
    await call("PATCH", `/districts/${one.district_id}`, { body: { retired: !one.retired } });
    announce(t("is_saved", { name: one.name }));
    await again();
  };
  return buttons(
    button(t("rename"), () => askForDistrict(one, again), about),
    button(t(one.retired ? "take_up_again" : "retire"), retire, about),
  );
}

function askForDistrict(one, again) {
  const fields = [{ name: "name", label: t("name"), value: one?.name ?? "", required: true, maxlength: 80 }];
  ask({ title: t(one === null ? "add_district" : "rename"), fields, submit: t("save") }, async (body) => {
    if (one === null) await call("POST", "/districts", { body });
    else await call("PATCH", `/districts/${one.district_id}`, { body });
    announce(t("is_saved", { name: body.name }));
    await again();
  });
}
