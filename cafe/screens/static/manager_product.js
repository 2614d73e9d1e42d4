// The form of a product, a new one or one that is on the menu, with its variations.

import { call } from "./api.js";
import { announce, make } from "./dom.js";
import { ask } from "./manager_dialog.js";
import { cents } from "./manager_words.js";
import { t } from "./texts.js";

const LARGEST = 1_000_000; // as an amount, 100,000,000 cents

/** Ask for a product, change it or add it, and then call `done()`. */
export function askForProduct(product, done) {
  const variations = variationsOf(product?.variations ?? []);
  const title = product === null ? t("add_product") : t("edit_product", { name: product.name });
  ask({ title, fields: fieldsOf(product), extra: variations.element, submit: t("save") }, async (values) => {
    const body = {
      name: values.name,
      description: values.description,
      category: values.category,
      position: values.position,
      base_price_cents: cents(values.price),
      sold_out: values.sold_out,
      variations: variations.values(),
    };
    if (product === null) await call("POST", "/admin/products", { body });
    else await call("PATCH", `/admin/products/${product.id}`, { body });
    announce(t("is_saved", { name: values.name }));
    await done();
  });
}

function fieldsOf(product) {
  return [
    { name: "name", label: t("name"), value: product?.name ?? "", required: true, maxlength: 80 },
    { name: "description", label: t("description"), type: "area", value: product?.description ?? "", maxlength: 1000 },
    { name: "category", label: t("category"), value: product?.category ?? "", maxlength: 80 },
    priceField(t("price"), "price", product?.base_price_cents ?? null, { min: 0, required: true }),
    { name: "position", label: t("position"), hint: t("position_hint"), type: "number", value: product?.position ?? "", min: 0, max: 1_000_000 },
    { name: "sold_out", label: t("sold_out"), type: "checkbox", value: product?.sold_out ?? false },
  ];
}

function priceField(label, name, amount, rest) {
  const value = amount === null ? "" : (amount / 100).toFixed(2);
  return { label, name, type: "number", step: 0.01, max: LARGEST, value, ...rest };
}

function variationsOf(given) {
  const list = make("ul", { class: "variations" });
  const rows = new Set();
  const add = (variation) => {
    const { label: _label, ...price } = priceField("", "change", variation?.price_change_cents ?? 0, { min: -LARGEST });
    const name = make("input", { value: variation?.name ?? "", required: true, maxlength: 80 });
    const change = make("input", { ...price, required: true });
    const row = { id: variation?.id ?? null, name, change };
    const remove = () => {
      rows.delete(row);
      item.remove();
      more.focus();
    };
    const item = make(
      "li",
      {},
      make("label", {}, t("variation"), name),
      make("label", {}, t("price_change"), change),
      make("button", { type: "button", onclick: remove }, t("remove")),
    );
    rows.add(row);
    list.append(item);
    return name;
  };
  const more = make("button", { type: "button", onclick: () => add(null).focus() }, t("add_variation"));
  given.forEach(add);
  return {
    element: make("fieldset", {}, make("legend", {}, t("variations")), list, more),
    values: () =>
      [...rows].map(({ id, name, change }) => ({
        ...(id === null ? {} : { id }),
        name: name.value.trim(),
        price_change_cents: cents(change.value),
      })),
  };
}
