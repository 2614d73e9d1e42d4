// Following `GET /events` (server-sent events): it connects again by itself, and resumes.
//
// Read with fetch, since a browser's EventSource sends no Authorization header.

import { Problem, Unreachable, request } from "./api.js";
import { byId, say } from "./dom.js";
import { pause } from "./pause.js";
import { clock, t } from "./texts.js";

const LONGEST_PAUSE = 10_000; // ms between two attempts
const SILENCE = 40_000; // ms: the server sends a comment each 15 s

/**
 * Follow the events at `of` for as long as the page is open: `on[name](data)` is called for each
 * event of a name. `stopped(problem)` is called, and nothing is tried again, when the shop refuses
 * for good. Returns a function that ends it.
 */
export function follow(of, on, stopped = () => {}) {
  const ended = new AbortController();
  run(of, on, stopped, ended.signal);
  return () => ended.abort();
}

async function run(of, on, stopped, ended) {
  let last = null; // the id of the last event that was handled
  let since = null; // when the connection was lost
  for (let failures = 0; !ended.aborted; failures += 1) {
    try {
      for await (const { name, id, data } of connect(of, last, ended)) {
        failures = 0; // also a comment says that the shop is there
        since = null;
        showConnection(null);
        if (data !== null) on[name]?.(data);
        last = id ?? last;
      }
    } catch (error) {
      if (ended.aborted) return;
      if (error instanceof Problem && error.status < 500 && error.status !== 429) {
        stopped(error);
        return;
      }
      if (!(error instanceof Problem || error instanceof Unreachable)) console.error(error);
    }
    since ??= new Date();
    if (failures > 0) showConnection(since);
    await pause(failures === 0 ? 100 : Math.min(LONGEST_PAUSE, 500 * 2 ** failures), ended);
  }
}

async function* connect(of, last, ended) {
  const silent = new AbortController();
  const signal = AbortSignal.any([ended, silent.signal]);
  const headers = { accept: "text/event-stream", ...(last === null ? {} : { "last-event-id": last }) };
  let timer = setTimeout(() => silent.abort(), SILENCE);
  try {
    const response = await request("GET", of, { headers, signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), SILENCE);
      const messages = (unread + value).split("\n\n");
      unread = messages.pop();
      yield* messages.map(parse);
    }
  } catch (error) {
    if (error instanceof Problem || ended.aborted) throw error;
    throw new Unreachable(error.message);
  } finally {
    clearTimeout(timer);
    silent.abort();
  }
}

/** Return the fields of a message; of a comment, data is null. */
function parse(message) {
  const fields = { event: "message" };
  for (const line of message.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) fields[name] = value;
  }
  const data = fields.data === undefined ? null : JSON.parse(fields.data);
  return { name: fields.event, id: fields.id ?? null, data };
}

function showConnection(since) {
  document.body.classList.toggle("offline", since !== null);
  say(byId("connection"), since === null ? "" : t("offline", { time: clock(since, true) }));
}
