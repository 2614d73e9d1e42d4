// Asking the API, with a token if the page has one.

const root = document.documentElement.dataset.root;
export const PATIENCE = 30_000; // ms for one answer: a network that has changed may answer nothing at all

/** A refusal: the problem of RFC 9457 that the API has answered. */
export class Problem extends Error {
  constructor(status, members) {
    super(members.detail ?? members.title ?? String(status));
    this.status = status;
    this.members = members;
  }
}

/** The API did not answer: no network, or the shop is away. */
export class Unreachable extends Error {}

/** How a page authenticates; a page that signs in puts functions here. */
export const credentials = {
  /** Return the token to send, or null. */
  token: async () => null,
  /** Get another token after a 401; return whether there is one. Raises Problem or Unreachable. */
  renew: async () => false,
};

/** Return the path of a call under the prefix that the page has. */
export function path(of) {
  return root + of;
}

/** Return a new Idempotency-Key. `crypto.randomUUID` is only there for pages with TLS. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Send a request, within PATIENCE unless `signal` ends it; return the Response. Raises Problem or Unreachable. */
export async function request(method, of, options = {}) {
  const { body, form, headers = {}, keepalive = false, renews = true } = options;
  const { signal = AbortSignal.timeout(PATIENCE) } = options;
  const accepting = { accept: "application/json", ...headers };
  const send = { method, headers: accepting, cache: "no-store", signal, keepalive };
  if (body !== undefined) {
    send.body = JSON.stringify(body);
    send.headers["content-type"] = "application/json";
  } else if (form !== undefined) {
    send.body = new URLSearchParams(form);
  }
  if (!renews) return answered(await once(of, send, null));
  let response = await once(of, send, await credentials.token());
  if (response.status === 401 && (await credentials.renew())) response = await once(of, send, await credentials.token());
  return answered(response);
}

async function answered(response) {
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Send a request; return what the JSON of the answer says, null if it has none. */
export async function call(method, of, options) {
  return json(await request(method, of, options));
}

/** Return what the JSON of an answer says, null if it has none; raises Unreachable if it breaks off. */
export async function json(response) {
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(error.message);
  }
}

/** Return all entries of a list in pages, at most `most` of them. */
export async function pages(of, member, most = 500) {
  const all = [];
  for (let next = of; next !== null && all.length < most; ) {
    const response = await request("GET", next);
    all.push(...(await json(response))[member]);
    const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "");
    next = link === null ? null : withoutRoot(link[1]);
  }
  return all;
}

function withoutRoot(of) {
  const { pathname, search } = new URL(of, location.href);
  return pathname.slice(root.length) + search;
}

async function once(of, send, token) {
  const headers = token === null ? send.headers : { ...send.headers, authorization: `Bearer ${token}` };
  try {
    return await fetch(path(of), { ...send, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(error.message);
  }
}

async function problemOf(response) {
  let members = {};
  try {
    members = await response.json();
  } catch {
    // A proxy in front has answered, with a page of its own.
  }
  return new Problem(response.status, members);
}
