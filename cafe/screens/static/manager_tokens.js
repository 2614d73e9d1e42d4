// Tokens of programs: list, add, delete. A new one is shown once.

import { call } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { ask, closing, view } from "./manager_dialog.js";
import { keepLoaded } from "./manager_live.js";
import { button, buttons, listing } from "./manager_parts.js";
import { when, word, words } from "./manager_words.js";
import { t } from "./texts.js";

export function openTokens(element) {
  const again = () => loader.now();
  const tokens = listing(t("tokens"), [t("program"), t("role"), t("granted"), t("actions")], {
    key: ({ name }) => name,
    cells: (one) => [
      one.name,
      word("role", one.role),
      when(one.granted_at),
      button(t("delete"), () => askToDelete(one, again), { of: one.name }),
    ],
  });
  fill(element, tokens.element, buttons(button(t("add_token"), () => askForToken(again))));
  const loader = keepLoaded(["accounts"], async () => tokens.show((await call("GET", "/admin/tokens")).tokens));
  return loader.stop;
}

function askForToken(again) {
  const fields = [
    { name: "name", label: t("program"), hint: t("program_hint"), required: true, maxlength: 64, pattern: "[A-Za-z0-9_\\-][A-Za-z0-9._\\-]*" },
    { name: "role", label: t("role"), options: words("role", ["barista", "manager"]), value: "barista" },
  ];
  ask({ title: t("add_token"), fields, submit: t("add_token") }, async (body) => {
    const { name, token } = await call("POST", "/admin/tokens", { body });
    showOnce(name, token);
    await again();
  });
}

function showOnce(name, token) {
  const field = make("textarea", { readonly: true, rows: 5, spellcheck: "false" });
  field.value = token;
  const copy = button(t("copy"), async () => {
    field.select();
    await navigator.clipboard?.writeText(token);
    copied.textContent = t("copied");
  });
  const copied = make("p", { role: "status" });
  view(t("token_of", { name }), make("div", {}, make("label", {}, t("token_once"), field), copied, buttons(copy, closing())));
}

function askToDelete({ name }, again) {
  ask({ title: t("delete"), text: t("delete_token", { name }), submit: t("delete") }, async () => {
    await call("DELETE", `/admin/tokens/${encodeURIComponent(name)}`);
    announce(t("is_deleted", { name }));
    await again();
  });
}
