// The basket: its lines, what they cost, and who may order them how.

import { announce, byId, keepList, make, say } from "./dom.js";
import * as kept from "./order_kept.js";
import { price } from "./order_menu.js";
import { count, money, t } from "./texts.js";

const MOST = 100; // of one line, as the API has it

/** Put one more of a line into the basket. */
export function add(line) {
  change(line, 1);
  announce(t("added", { what: named(line), total: money(total()) }));
}

/** Return what the basket costs in cents. */
export function total() {
  return kept.basket().lines.reduce((sum, line) => sum + line.quantity * (price(line) ?? 0), 0);
}

/** Return whether a guest may order this: one plain product. */
export function isPlain() {
  const { lines } = kept.basket();
  return lines.length === 1 && lines[0].quantity === 1 && lines[0].variation_id === null;
}

/** Return a line in words. */
export function named({ name, variation }) {
  return variation === null ? name : `${name} (${variation})`;
}

/** Return lines in words. */
export function listed(lines) {
  return lines.map((line) => `${line.quantity} × ${named(line)}`).join(", ");
}

/** Show the basket to a guest, or to someone who has signed in. */
export function showBasket(signedIn) {
  const { lines, name } = kept.basket();
  const items = quantity(lines);
  keepList(byId("lines"), lines, shownLine);
  byId("empty").hidden = items > 0;
  byId("checkout").hidden = items === 0;
  say(byId("total"), t("total", { total: money(total()) }));
  byId("guest").hidden = signedIn || !isPlain();
  byId("guest-hint").hidden = signedIn || isPlain();
  byId("sign-in-to-pay").hidden = signedIn;
  byId("pay").hidden = !signedIn;
  say(byId("pay"), t("order_for", { total: money(total()) }));
  byId("to-basket").hidden = items === 0;
  say(byId("to-basket").firstElementChild, `${count("items", items)} · ${money(total())}`);
  for (const mark of document.querySelectorAll("[data-product]")) {
    const chosen = quantity(lines.filter(({ product_id }) => product_id === mark.dataset.product));
    say(mark, chosen === 0 ? "" : `× ${chosen}`);
  }
  if (byId("name").value === "") byId("name").value = name;
}

function quantity(lines) {
  return lines.reduce((sum, line) => sum + line.quantity, 0);
}

const shownLine = {
  key: ({ product_id, variation_id }) => `${product_id} ${variation_id ?? ""}`,
  create: (line) => {
    const button = (by, text, label) =>
      make("button", { type: "button", "aria-label": t(label, { what: named(line) }), onclick: () => change(line, by) }, text);
    return make(
      "li",
      {},
      make("span", { class: "name" }, named(line)),
      make("span", { class: "price" }),
      make("span", { class: "amount" }, button(-1, "−", "fewer"), make("b", {}), button(1, "+", "more")),
    );
  },
  update: (item, line) => {
    const each = price(line);
    item.classList.toggle("gone", each === null);
    say(item.querySelector(".price"), each === null ? t("gone") : money(each * line.quantity));
    say(item.querySelector("b"), String(line.quantity));
  },
};

function change(line, by) {
  const { lines, ...rest } = kept.basket();
  const same = (one) => one.product_id === line.product_id && one.variation_id === line.variation_id;
  const changed = lines.map((one) => (same(one) ? { ...one, quantity: Math.min(MOST, one.quantity + by) } : one));
  if (by > 0 && !lines.some(same)) changed.push(line);
  kept.keepBasket({ ...rest, lines: changed.filter(({ quantity }) => quantity > 0) });
  dispatchEvent(new Event("basket"));
  if (changed.some((one) => same(one) && one.quantity === 0)) {
    byId("basket-title").focus(); // the button that had the focus is gone
    announce(t("removed", { what: named(line), total: money(total()) }));
  }
}
