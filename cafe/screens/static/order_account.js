// Who orders: a guest, or a customer with an account, which can be made here.

import { Problem, call } from "./api.js";
import { byId, say } from "./dom.js";
import { account, isSignedIn, signIn, signInWith, signOut } from "./session.js";
import { t } from "./texts.js";

let who = null; // the account, once the shop has told it

/** Return the account that is signed in, or null. Raises Problem or Unreachable. */
export async function customer() {
  if (!isSignedIn()) who = null;
  else who ??= await account();
  return who;
}

/** Ask for credentials, and show whose they are. */
export async function signInAnew() {
  who = null;
  await signIn();
  await showAccount();
}

/** Wire the buttons; `changed()` is called whenever someone has signed in or out. */
export function watchAccount(changed) {
  const then = (action) => async () => {
    await action();
    await showAccount();
    changed();
  };
  for (const id of ["enter", "mine-enter", "sign-in-to-pay"]) byId(id).onclick = then(signInAnew);
  byId("join").onclick = then(register);
  byId("leave").onclick = then(signOut);
}

/** Show who is signed in. */
export async function showAccount() {
  try {
    await customer();
  } catch (error) {
    if (!(error instanceof Problem)) console.warn(error); // shown as soon as the shop is back
  }
  const signedIn = isSignedIn();
  byId("enter").hidden = byId("join").hidden = signedIn;
  byId("leave").hidden = byId("who").hidden = !signedIn;
  say(byId("who"), who?.username ?? who?.email ?? "");
}


function register() {
  const dialog = byId("register");
  const form = dialog.querySelector("form");
  const alert = dialog.querySelector("[role=alert]");
  say(alert, "");
  form.onsubmit = async (event) => {
    event.preventDefault();
    const { email, username, password } = Object.fromEntries(new FormData(form));
    const named = username.trim() === "" ? {} : { username };
    try {
      await call("POST", "/auth/register", { body: { email: email.trim(), password, ...named } });
      await signInWith(email.trim(), password);
      form.reset();
      dialog.close();
    } catch (error) {
      say(alert, error instanceof Problem ? error.message : t("unreachable"));
    }
  };
  for (const button of dialog.querySelectorAll("button[value]")) button.onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
}
