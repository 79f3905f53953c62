/** The service's calls. Whatever goes wrong becomes a `Problem` with a code that strings.js explains. */

import { strings } from "./strings.js";

const BASE = "/api/v1";

export class Problem extends Error {
  /** @param {{code: string, detail?: string, status?: number, request_id?: string, retryable?: boolean}} document */
  constructor({ code, detail = "", status = 0, request_id = "", retryable = false, retry_after = 0, body = {} }) {
    super(detail || code);
    Object.assign(this, { code, detail, status, request_id, retryable, retry_after, body });
  }

  /** True where nobody answered, or a proxy did in place of the service. */
  get away() {
    return this.code === "away";
  }

  /** What happened and what to do, in words for people. */
  get words() {
    return strings.errors.plain[this.code] ?? (this.detail || strings.errors.unknown);
  }
}

const listeners = { away: new Set(), here: new Set(), locked: new Set() };

/** Hears of `away` (nobody answers), `here` (an answer came) and `locked` (a key is needed). */
export function on(event, listener) {
  listeners[event].add(listener);
  return () => listeners[event].delete(listener);
}

const tell = (event, detail) => listeners[event].forEach((listener) => listener(detail));

/**
 * One request. Answers with parsed JSON, or with the `Response` where `raw`.
 *
 * @throws {Problem}
 */
export async function call(path, { method = "GET", json, body, headers = {}, raw = false, signal, quiet = false } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    const content = json === undefined ? body : JSON.stringify(json);
    response = await fetch(BASE + path, { method, headers: sent, body: content, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return refuse(new Problem({ code: "away", retryable: true }), quiet);
  }
  if (response.ok) {
    tell("here");
    if (raw) return response;
    return response.status === 204 ? null : response.json();
  }
  return refuse(await problemOf(response), quiet);
}

/** Tells whoever shows problems, and throws. */
export function refuse(problem, quiet = false) {
  if (problem.away) tell("away", problem);
  else tell("here");
  if (problem.status === 401 && !quiet) tell("locked", problem);
  throw problem;
}

/** @param {Response} response */
export async function problemOf(response) {
  const retry_after = Number(response.headers.get("Retry-After")) || 0;
  const body = await response.json().catch(() => ({}));
  if (typeof body.code === "string") return new Problem({ ...body, status: response.status, retry_after, body });
  const code = response.status >= 502 && response.status <= 504 ? "away" : response.status === 404 ? "not_found" : "internal";
  return new Problem({ code, status: response.status, retryable: response.status >= 500, retry_after });
}

/** Runs a POST once, however often its answer is lost on the way. */
export const once = (key = crypto.randomUUID?.() ?? randomKey()) => ({ "Idempotency-Key": key });

const randomKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

const job = (id, rest = "") => `/jobs/${encodeURIComponent(id)}${rest}`;
const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

export const api = {
  limits: () => call("/limits"),
  languages: () => call("/languages"),
  signIn: (key) => call("/session", { method: "POST", json: { key }, quiet: true }),
  signOut: () => call("/session", { method: "DELETE", quiet: true }),

  jobs: ({ status, cursor, limit = 25 } = {}) => call(`/jobs${query({ status, cursor, limit })}`),
  create: (request, key) => call("/jobs", { method: "POST", json: request, headers: once(key) }),
  status: (id) => call(job(id, "/status")),
  cancel: (id) => call(job(id, "/cancel"), { method: "POST", headers: once() }),
  retry: (id) => call(job(id, "/retry"), { method: "POST", headers: once() }),
  remove: (id) => call(job(id), { method: "DELETE" }),
  addLanguages: (id, languages) =>
    call(job(id, "/languages"), { method: "POST", json: { target_languages: languages }, headers: once() }),
  script: (id, language) => call(job(id, `/script${query({ language })}`)),
  edit: (id, language, revision, line, text) => {
    const json = { revision, utterances: [{ id: line, target_text: text }] };
    return call(job(id, `/script${query({ language })}`), { method: "PATCH", json });
  },
  redub: (id, body = {}) => call(job(id, "/redub"), { method: "POST", json: body, headers: once() }),
  waveform: (id, language) => call(job(id, `/waveform${query({ language })}`)),
};

export const urls = {
  file: (id, type, language) => `${BASE}${job(id, `/download${query({ language, type, redirect: 1 })}`)}`,
  poster: (id) => `${BASE}${job(id, "/poster")}`,
  events: (id, after) => `${BASE}${job(id, `/events${query({ after })}`)}`,
  socket: (id, after) => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    return `${scheme}//${location.host}${BASE}${job(id, `/progress${query({ after })}`)}`;
  },
};
