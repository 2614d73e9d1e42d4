// Addresses that are banned for a while, and lifting a ban. Bans are no events of the log, so they
// are loaded when asked for, and when one runs out.

import { call } from "./api.js";
import { announce, fill, make } from "./dom.js";
import { keepLoaded, loadAt } from "./manager_live.js";
import { button, buttons, listing } from "./manager_parts.js";
import { when } from "./manager_words.js";
import { t } from "./texts.js";

export function open(element) {
  let timer = null;
  const bans = listing(t("bans"), [t("client_address"), t("until"), t("actions")], {
    key: ({ address }) => address,
    none: t("no_bans"),
    cells: ({ address, until }) => [address, when(until), button(t("lift"), () => lift(address), { of: address })],
  });
  async function lift(address) {
    await call("DELETE", `/admin/bans/${encodeURIComponent(address)}`);
    announce(t("is_lifted", { address }));
    await loader.now();
  }
  async function load() {
    const found = (await call("GET", "/admin/bans")).bans;
    bans.show(found.map(({ address, until }) => ({ address, until })));
    clearTimeout(timer);
    if (found.length === 0) return;
    timer = loadAt(Math.min(...found.map(({ until }) => Date.parse(until))), loader.now);
  }
  fill(element, make("p", {}, t("bans_text")), bans.element, buttons(button(t("load_again"), () => loader.now())));
  const loader = keepLoaded([], load);
  return () => {
    clearTimeout(timer);
    loader.stop();
  };
}
