// Signing in: with an account, or with the token that the shop gave its baristas.
//
// What is given stays in this tab's sessionStorage; it is sent in a header, never in a cookie.

import { Problem, call, credentials } from "./api.js";
import { byId, complain } from "./dom.js";
import { ofTab } from "./storage.js";
import { t } from "./texts.js";

const KEY = "cafe.session";
let session = JSON.parse(ofTab.get(KEY) ?? "null"); // {access, refresh} or {access}
let renewing = null;
let opened = null; // the promise that the sign-in dialog settles

credentials.token = async () => {
  await renewing?.catch(() => {}); // what has begun it is told
  return session?.access ?? null;
};
credentials.renew = () => {
  renewing ??= renew().finally(() => (renewing = null)); // a refresh token is used once
  return renewing;
};

/** Return whether someone has signed in. */
export function isSignedIn() {
  return session !== null;
}

/** Return the account that is signed in; null for none, and for a barista's token. */
export async function account() {
  if (session?.refresh === undefined) return null;
  return call("GET", "/auth/me");
}

/** Ask for credentials with the page's dialog; settles when there are some, or it was closed. */
export function signIn() {
  opened ??= ask().finally(() => (opened = null));
  return opened;
}

/** Sign in with an account; raises what the API refuses. */
export async function signInWith(username, password) {
  keep(null);
  keep(pair(await call("POST", "/auth/token", { form: { grant_type: "password", username, password } })));
}

/** Forget the credentials, and end the sign-in at the shop. */
export async function signOut() {
  try {
    if (session?.refresh !== undefined) await call("POST", "/auth/logout");
  } catch (error) {
    console.warn(error); // the token expires anyway
  }
  keep(null);
}

/** Call `action`, and once more after signing in, if that is what it takes. */
export async function withSession(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) throw error;
    keep(null);
    await signIn();
    return action();
  }
}

function keep(found) {
  session = found;
  ofTab.set(KEY, found === null ? null : JSON.stringify(found));
}

async function renew() {
  if (session?.refresh === undefined) return false;
  try {
    keep(pair(await call("POST", "/auth/refresh", { body: { refresh_token: session.refresh }, renews: false })));
    return true;
  } catch (error) {
    if (!(error instanceof Problem && error.status < 500 && error.status !== 429)) throw error;
    keep(null); // it has ended, or was revoked
    return false;
  }
}

function pair(answer) {
  return { access: answer.access_token, refresh: answer.refresh_token };
}

function ask() {
  const dialog = byId("sign-in");
  const form = dialog.querySelector("form");
  const fields = form.elements;
  byId("sign-in-close").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    const submit = async (event) => {
      event.preventDefault();
      complainInside(dialog, "");
      try {
        await use(fields);
        form.reset();
        complain("");
        dialog.close();
      } catch (error) {
        complainInside(dialog, error instanceof Problem ? error.message : t("unreachable"));
      }
    };
    form.addEventListener("submit", submit);
    dialog.addEventListener(
      "close",
      () => {
        form.removeEventListener("submit", submit);
        resolve(isSignedIn());
      },
      { once: true },
    );
  });
}

async function use(fields) {
  const token = fields.namedItem("token")?.value.trim();
  if (token) keep({ access: token });
  else await signInWith(fields.namedItem("username").value.trim(), fields.namedItem("password").value);
}

function complainInside(dialog, text) {
  dialog.querySelector("[role=alert]").textContent = text;
}
