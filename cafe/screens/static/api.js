// Asking the API, with a token if the page has one.

const root = document.documentElement.dataset.root;

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
  token: () => null,
  /** Get another token after a 401; return whether there is one. */
  renew: async () => false,
  /** Settle when no other token is being got: until then, there is none to send. */
  settled: async () => {},
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

/** Send a request; return the Response. Raises Problem or Unreachable. */
export async function request(method, of, options = {}) {
  const { body, form, headers = {}, signal, keepalive = false, renews = true } = options;
  const accepting = { accept: "application/json", ...headers };
  const send = { method, headers: accepting, cache: "no-store", signal, keepalive };
  if (body !== undefined) {
    send.body = JSON.stringify(body);
    send.headers["content-type"] = "application/json";
  } else if (form !== undefined) {
    send.body = new URLSearchParams(form);
  }
  if (renews) await credentials.settled();
  let response = await once(of, send);
  if (response.status === 401 && renews && (await credentials.renew())) response = await once(of, send);
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Send a request; return what the JSON of the answer says, null if it has none. */
export async function call(method, of, options) {
  const response = await request(method, of, options);
  return response.status === 204 ? null : response.json();
}

/** Return all entries of a list in pages, at most `most` of them. */
export async function pages(of, member, most = 500) {
  const all = [];
  for (let next = of; next !== null && all.length < most; ) {
    const response = await request("GET", next);
    all.push(...(await response.json())[member]);
    const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "");
    next = link === null ? null : withoutRoot(link[1]);
  }
  return all;
}

function withoutRoot(of) {
  const { pathname, search } = new URL(of, location.href);
  return pathname.slice(root.length) + search;
}

async function once(of, send) {
  const token = credentials.token();
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
