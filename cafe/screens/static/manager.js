// The manager's page: sign in, choose a section. Each section is a module with `open(element)`,
// which returns what ends it.

import { byId, complain, fill, say } from "./dom.js";
import { goLive, tell } from "./manager_live.js";
import { openPause } from "./manager_pause.js";
import { account, isSignedIn, signIn, signOut, withSession } from "./session.js";
import { t } from "./texts.js";
import * as accounts from "./manager_accounts.js";
import * as bans from "./manager_bans.js";
import * as delivery from "./manager_delivery.js";
import * as menu from "./manager_menu.js";
import * as messages from "./manager_messages.js";
import * as orders from "./manager_orders.js";
import * as tables from "./manager_tables.js";
import * as today from "./manager_today.js";
import { word } from "./manager_words.js";

const SECTIONS = { today, orders, menu, delivery, tables, messages, accounts, bans };
let endings = []; // of the stream and of the pause
let shown = null; // the name of the section
let leave = () => {}; // ends the section

/** Show the section that the address names; any other name, such as that of a skip link, is none. */
function route() {
  const name = location.hash.slice(1);
  if (Object.hasOwn(SECTIONS, name)) show(name);
  else if (shown === null) show("today");
}

function show(name) {
  if (name === shown) return;
  const first = shown === null;
  leave();
  complain("");
  shown = name;
  for (const link of byId("sections").children) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const link of document.querySelectorAll("footer a[hreflang]")) link.hash = name;
  const title = t(`section_${name}`);
  say(byId("section-title"), title);
  document.title = `${title} – ${t("title")}`;
  fill(byId("section"));
  leave = SECTIONS[name].open(byId("section"));
  if (!first) byId("section-title").focus();
}

async function enter() {
  try {
    const who = await withSession(account);
    if (who?.role === "manager") openDesk(who);
    else if (who === null) openDoor(t("door"));
    else openDoor(t("not_manager", { email: who.email, role: word("role", who.role) }));
  } catch (error) {
    openDoor(t("door"));
    if (isSignedIn()) tell(error);
  }
}

function openDesk(who) {
  byId("door").hidden = true;
  byId("desk").hidden = false;
  byId("tools").hidden = false;
  say(byId("who"), who.email);
  endings = [goLive(() => openDoor(t("door"))), openPause()];
  route();
  addEventListener("hashchange", route);
}

function openDoor(text) {
  removeEventListener("hashchange", route);
  leave();
  for (const end of endings) end();
  endings = [];
  leave = () => {};
  shown = null;
  fill(byId("section"));
  for (const dialog of document.querySelectorAll("dialog.made")) dialog.close();
  byId("desk").hidden = true;
  byId("tools").hidden = true;
  byId("door").hidden = false;
  say(byId("door-text"), text);
  document.title = t("title");
}

async function ask() {
  complain("");
  if (isSignedIn()) await signOut(); // it is the account of no manager
  if (await signIn()) await enter();
}

byId("door-open").addEventListener("click", ask);
byId("sign-out").addEventListener("click", async () => {
  openDoor(t("door"));
  await signOut();
  byId("door-open").focus();
});
if (isSignedIn()) enter();
else {
  openDoor(t("door"));
  ask();
}
