// The menu: sold out in one touch, edit, add, delete.

import { call } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { ask } from "./manager_dialog.js";
import { keepLoaded } from "./manager_live.js";
import { button, buttons, listing } from "./manager_parts.js";
import { askForProduct } from "./manager_product.js";
import { sum } from "./manager_words.js";
import { count, t } from "./texts.js";

export function open(element) {
  const again = () => loader.now();
  const menu = listing(t("products"), [t("product"), t("category"), t("price"), t("variations"), t("actions")], {
    key: ({ id }) => id,
    none: t("menu_empty"),
    cells: (product) => [
      describe(product),
      product.category,
      sum(product.base_price_cents),
      variationsOf(product),
      actionsOf(product, again),
    ],
  });
  fill(element, buttons(button(t("add_product"), () => askForProduct(null, again), { class: "main" })), menu.element);
  const loader = keepLoaded(["menu"], async () => {
    menu.show((await call("GET", "/admin/products")).products);
  });
  return loader.stop;
}

function describe({ name, description }) {
  return make("span", {}, name, description === "" ? null : make("small", {}, description));
}

function variationsOf({ variations }) {
  if (variations.length === 0) return "–";
  const listed = variations.map(({ name, price_change_cents: change }) =>
    change === 0 ? name : `${name} ${change > 0 ? "+" : "−"}${sum(Math.abs(change))}`,
  );
  return make("details", {}, make("summary", {}, count("variation", variations.length)), make("ul", {}, ...listed.map((one) => make("li", {}, one))));
}

function actionsOf(product, again) {
  const path = `/admin/products/${product.id}`;
  const sellOut = async () => {
    await call("PATCH", path, { body: { sold_out: !product.sold_out } });
    announce(t(product.sold_out ? "is_sold_again" : "is_sold_out", { name: product.name }));
    await again();
  };
  const about = { of: product.name };
  return buttons(
    button(t("sold_out"), sellOut, { ...about, "aria-pressed": String(product.sold_out) }),
    button(t("edit"), () => askForProduct(product, again), about),
    button(t("delete"), () => askToDelete(product, path, again), about),
  );
}

function askToDelete({ name }, path, again) {
  ask({ title: t("delete"), text: t("delete_product", { name }), submit: t("delete") }, async () => {
    await call("DELETE", path);
    announce(t("is_deleted", { name }));
    await again();
  });
}
