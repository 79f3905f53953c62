/** Brings one file to the service, part by part. The service knows which parts are safe; this only ever asks it. */

import { call, once, Problem, problemOf, refuse } from "./api.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 20_000;
const CONFLICT = 409;
const FORBIDDEN = 403;

/**
 * Announces a file, or takes its upload up again.
 *
 * @param {File} file
 * @param {string|null} uploadId of an earlier attempt with the same file
 * @returns {Promise<object>} the upload as the service sees it
 */
export async function open(file, uploadId) {
  if (uploadId) {
    try {
      return await call(`/uploads/${uploadId}`);
    } catch (problem) {
      if (problem.code !== "not_found") throw problem;
    }
  }
  return call("/uploads", { method: "POST", json: { name: file.name, size: file.size }, headers: once() });
}

/** Forgets an upload; the service would do so itself after some days. */
export const forget = (uploadId) => call(`/uploads/${uploadId}`, { method: "DELETE", quiet: true }).catch(() => {});

/**
 * Sends the parts that are missing, then has the service look at the whole. Resolves when the file is safe.
 *
 * Parts go to the links that the service gives: its own, or its object store's, which are good for a while only.
 *
 * @param {File} file
 * @param {object} upload what `open` gave
 * @param {{signal: AbortSignal, moved: (offset: number) => void, lost: (again: boolean) => void}} told `lost` hears true
 *   when the connection is gone and false when it is back
 */
export async function send(file, upload, { signal, moved, lost }) {
  let pause = FIRST_PAUSE;
  for (;;) {
    try {
      await sendMissing(file, upload, signal, (offset) => {
        moved(offset);
        lost(false);
        pause = FIRST_PAUSE;
      });
      await call(`/uploads/${upload.upload_id}/complete`, { method: "POST", headers: once(), signal });
      return;
    } catch (problem) {
      if (!isPassing(problem)) throw problem;
      lost(true);
      await rest(Math.max(pause, problem.retry_after * 1000), signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }
}

/** Nobody answered, or something else was true than we believed: both are mended by asking again. */
const isPassing = (problem) => problem instanceof Problem && (problem.retryable || problem.status === CONFLICT);

async function sendMissing(file, { upload_id: id }, signal, moved) {
  moved((await call(`/uploads/${id}`, { signal })).offset);
  for (let first = 1; first !== null; ) {
    const { parts, next_part: next } = await call(`/uploads/${id}/parts?first=${first}`, { signal });
    for (const part of parts.filter(({ received }) => !received)) {
      await put(part.url, file.slice(part.offset, part.offset + part.size), signal, (sent) => moved(part.offset + sent));
    }
    first = next;
  }
}

/** One part, by XMLHttpRequest: `fetch` does not tell how much of it has left. */
function put(url, piece, signal, moved) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const elsewhere = new URL(url, location.href).origin !== location.origin;
    request.open("PUT", url);
    request.upload.onprogress = (event) => moved(event.loaded);
    request.onload = async () => {
      if (request.status >= 200 && request.status < 300) return resolve();
      const problem = await problemOf(responseOf(request));
      return reject(elsewhere ? ofStore(problem) : refused(problem));
    };
    request.onerror = () => reject(elsewhere ? ofStore(new Problem({ code: "away" })) : refused(away()));
    request.onabort = () => reject(new DOMException("paused", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    if (signal.aborted) reject(new DOMException("paused", "AbortError"));
    else request.send(piece);
  });
}

const away = () => new Problem({ code: "away", retryable: true });

/** The object store answers in a language of its own; a link that is refused was too old. */
const ofStore = ({ status }) =>
  new Problem({ code: "storage_failed", status, retryable: status === 0 || status === FORBIDDEN || status >= 500 });

function refused(problem) {
  try {
    return refuse(problem);
  } catch (told) {
    return told;
  }
}

function responseOf(request) {
  const headers = {};
  for (const name of ["Retry-After", "Content-Type"]) {
    const value = request.getResponseHeader(name);
    if (value) headers[name] = value;
  }
  return new Response(request.responseText, { status: request.status, headers });
}

/** Waits, shorter when the browser or the service is back. */
function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const settle = (how) => () => {
      clearTimeout(timer);
      window.removeEventListener("online", woken);
      window.removeEventListener("dubflow:back", woken);
      how();
    };
    const woken = settle(resolve);
    const timer = setTimeout(woken, milliseconds);
    window.addEventListener("online", woken);
    window.addEventListener("dubflow:back", woken);
    signal.addEventListener("abort", settle(() => reject(new DOMException("paused", "AbortError"))), { once: true });
  });
}
