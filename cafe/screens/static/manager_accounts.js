// Accounts of people: list, add, role, disable; below, the tokens of programs.

import { call } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { ask, orNull } from "./manager_dialog.js";
import { keepLoaded } from "./manager_live.js";
import { badge, button, buttons, choice, listing } from "./manager_parts.js";
import { openTokens } from "./manager_tokens.js";
import { when, word, words } from "./manager_words.js";
import { t } from "./texts.js";

const ROLES = ["customer", "barista", "courier", "manager"];
const STAFF = ["barista", "courier", "manager"];
const MOST = 100;

export function open(element) {
  const wanted = { role: "", email: "" };
  const again = () => loader.now();
  const accounts = listing(t("people"), [t("email"), t("name"), t("role"), t("status"), t("registered"), t("actions")], {
    key: ({ user_id: id }) => id,
    cells: (one) => [
      one.email,
      make("span", {}, one.username ?? "–", one.role === "courier" ? make("small", {}, one.user_id) : null),
      word("role", one.role),
      badge(t(one.disabled ? "disabled" : "active"), one.disabled ? "cancelled" : "ready"),
      when(one.registered_at),
      actionsOf(one, again),
    ],
  });
  const below = make("div");
  fill(
    element,
    make("div", { class: "filters" }, choice(t("role"), [["", t("all")], ...words("role", ROLES)], (role) => filter({ role })), search((email) => filter({ email }))),
    accounts.element,
    buttons(button(t("add_account"), () => askForAccount(again))),
    below,
  );
  function filter(change) {
    Object.assign(wanted, change);
    loader.now();
  }
  const loader = keepLoaded(["accounts"], async () => {
    const query = new URLSearchParams({ limit: MOST });
    for (const [name, value] of Object.entries(wanted)) if (value !== "") query.set(name, value);
    accounts.show((await call("GET", `/admin/users?${query}`)).users);
  });
  const stop = openTokens(below);
  return () => {
    stop();
    loader.stop();
  };
}

function search(found) {
  const email = make("input", { type: "email", maxlength: 254, autocomplete: "off" });
  const form = make("form", { class: "search" }, make("label", {}, t("email"), email), make("button", { type: "submit" }, t("show")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    found(email.value.trim());
  });
  return form;
}

function actionsOf(one, again) {
  const about = { of: one.email };
  const change = async (body) => {
    await call("PATCH", `/admin/users/${one.user_id}`, { body });
    announce(t("is_saved", { name: one.email }));
    await again();
  };
  const askForRole = () => {
    const fields = [{ name: "role", label: t("role"), options: words("role", ROLES), value: one.role }];
    ask({ title: t("change_role"), text: one.email, fields, submit: t("save") }, change);
  };
  const askToDisable = () =>
    ask({ title: t("disable"), text: t("disable_text", { email: one.email }), submit: t("disable") }, () => change({ disabled: true }));
  return buttons(
    button(t("change_role"), askForRole, about),
    one.disabled ? button(t("enable"), () => change({ disabled: false }), about) : button(t("disable"), askToDisable, about),
  );
}

function askForAccount(again) {
  const fields = [
    { name: "email", label: t("email"), type: "email", required: true, maxlength: 254, autocomplete: "off" },
    { name: "username", label: t("name"), maxlength: 80, autocomplete: "off" },
    { name: "password", label: t("password"), type: "password", required: true, maxlength: 256, autocomplete: "new-password" },
    { name: "role", label: t("role"), options: words("role", [...STAFF, "customer"]), value: "barista" },
  ];
  ask({ title: t("add_account"), fields, submit: t("add_account") }, async (values) => {
    await call("POST", "/admin/users", { body: { ...values, username: orNull(values.username) } });
    announce(t("is_saved", { name: values.email }));
    await again();
  });
}
