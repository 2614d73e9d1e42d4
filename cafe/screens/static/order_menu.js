// The menu by category, and what a basket costs at its prices.

import { call } from "./api.js";
import { byId, fill, make } from "./dom.js";
import { money, t } from "./texts.js";

let products = [];
let shown = "";

/** Load the menu and show it, if it is another; `add(line)` is called with what is chosen. */
export async function loadMenu(add) {
  products = (await call("GET", "/menu")).products;
  const now = JSON.stringify(products);
  if (now === shown) return;
  shown = now;
  const categories = Map.groupBy(products, ({ category }) => category);
  fill(byId("menu"), ...[...categories].map(([name, sold]) => section(name || t("other"), sold, add)));
}

/** Return the price of one of a line in cents; null if it cannot be had now. */
export function price({ product_id, variation_id }) {
  const product = products.find(({ id }) => id === product_id);
  if (product === undefined || product.sold_out) return null;
  if (variation_id === null) return product.base_price_cents;
  const variation = product.variations.find(({ id }) => id === variation_id);
  return variation === undefined ? null : product.base_price_cents + variation.price_change_cents;
}

function section(name, sold, add) {
  return make("section", {}, make("h3", {}, name), make("ul", { class: "products" }, ...sold.map((one) => item(one, add))));
}

function item(product, add) {
  const { name, description, base_price_cents: cents, sold_out: soldOut, variations } = product;
  const choice = soldOut || variations.length === 0 ? null : select(product);
  return make(
    "li",
    { class: soldOut ? "product gone" : "product" },
    make("span", { class: "name" }, name, " ", make("span", { class: "in-basket", "data-product": product.id })),
    make("span", { class: "price" }, money(cents)),
    description === "" ? null : make("span", { class: "description" }, description),
    choice,
    soldOut
      ? make("span", { class: "sold-out" }, t("sold_out"))
      : make(
          "button",
          { type: "button", "aria-label": t("add_one", { name }), onclick: () => add(line(product, choice?.value ?? "")) },
          t("add"),
        ),
  );
}

function select({ name, variations }) {
  const options = variations.map(({ id, name: called, price_change_cents: change }) => {
    const sign = change > 0 ? "+" : "";
    return make("option", { value: id }, change === 0 ? called : `${called} (${sign}${money(change)})`);
  });
  return make("select", { "aria-label": t("kind_of", { name }) }, make("option", { value: "" }, t("plain")), ...options);
}

function line({ id, name, variations }, variationId) {
  const variation = variations.find((one) => one.id === variationId);
  return { product_id: id, variation_id: variation?.id ?? null, quantity: 1, name, variation: variation?.name ?? null };
}
