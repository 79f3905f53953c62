/** The files on their way: one at a time, remembered across a reload until each has become a job. */

import { api, Problem } from "./api.js";
import * as transfer from "./transfer.js";

const MEMORY = "dubflow.uploads";

/**
 * One file and what is wanted of it.
 *
 * States: `waiting` (for others), `running`, `paused` (by the user), `lost` (no connection, tries again), `locked` (a
 * key is needed), `finishing`, `interrupted` (the page was reloaded and needs the file again), `failed`.
 */
class Upload {
  constructor({ id, name, size, modified, request, uploadId = null, offset = 0 }, file) {
    Object.assign(this, { id, name, size, modified, request, uploadId, offset, file });
    this.state = file ? "waiting" : "interrupted";
    this.problem = null;
    this.stopped = null;
  }

  get share() {
    return this.size ? this.offset / this.size : 0;
  }

  /** True for the file that this upload was begun with. */
  isOf(file) {
    return file.name === this.name && file.size === this.size && file.lastModified === this.modified;
  }
}

export const uploads = [];
const watchers = new Set();
let busy = false;

/** Hears of every change: `(upload, job)`, with the job once one was made of the upload. */
export function watchUploads(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Queues a file; `request` is the body of the job without its source. */
export function add(file, request) {
  const made = { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), name: file.name, size: file.size };
  const upload = new Upload({ ...made, modified: file.lastModified, request }, file);
  uploads.push(upload);
  change(upload);
  work();
}

/** Stops sending; what arrived stays. */
export function pause(upload) {
  upload.state = "paused";
  upload.stopped?.abort();
  change(upload);
}

/** Goes on; an interrupted upload needs its file again. False where another file is given. */
export function resume(upload, file = upload.file) {
  if (file !== upload.file && !upload.isOf(file)) return false;
  Object.assign(upload, { file, state: "waiting", problem: null });
  change(upload);
  work();
  return true;
}

/** Forgets an upload, here and at the service. */
export function discard(upload) {
  upload.stopped?.abort();
  if (upload.uploadId) transfer.forget(upload.uploadId);
  uploads.splice(uploads.indexOf(upload), 1);
  change(upload);
}

async function work() {
  const upload = !busy && uploads.find(({ state }) => state === "waiting");
  if (!upload) return;
  busy = true;
  upload.stopped = new AbortController();
  upload.state = "running";
  change(upload);
  try {
    const job = await bring(upload);
    uploads.splice(uploads.indexOf(upload), 1);
    change(upload, job);
  } catch (problem) {
    if (problem.name !== "AbortError") fail(upload, problem);
  } finally {
    busy = false;
    work();
  }
}

async function bring(upload) {
  const { signal } = upload.stopped;
  const ticket = await persistently(signal, () => transfer.open(upload.file, upload.uploadId));
  upload.uploadId = ticket.upload_id;
  change(upload);
  if (ticket.status !== "complete") {
    await transfer.send(upload.file, ticket, {
      signal,
      moved: (offset) => ((upload.offset = offset), change(upload)),
      lost: (gone) => ((upload.state = gone ? "lost" : "running"), change(upload)),
    });
  }
  upload.state = "finishing";
  change(upload);
  const body = { source: { upload_id: upload.uploadId }, ...upload.request };
  return persistently(signal, () => api.create(body, upload.uploadId));
}

/** Repeats what failed only because nobody answered. */
async function persistently(signal, attempt) {
  for (let pause = 1000; ; pause = Math.min(pause * 2, 20_000)) {
    try {
      return await attempt();
    } catch (problem) {
      if (!problem.away) throw problem;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    signal.throwIfAborted();
  }
}

function fail(upload, problem) {
  if (problem.status === 401) upload.state = "locked";
  else if (upload.state !== "paused") upload.state = "failed";
  if (problem.code === "unsupported_media") upload.uploadId = null; // the service has dropped it
  upload.problem = problem instanceof Problem ? problem : new Problem({ code: "internal", detail: String(problem) });
  change(upload);
}

function change(upload, job = null) {
  const kept = uploads.filter(({ state }) => state !== "failed");
  const plain = kept.map(({ id, name, size, modified, request, uploadId, offset }) => ({ id, name, size, modified, request, uploadId, offset }));
  if (plain.length) localStorage.setItem(MEMORY, JSON.stringify(plain));
  else localStorage.removeItem(MEMORY);
  watchers.forEach((watcher) => watcher(upload, job));
}

function remember() {
  try {
    for (const one of JSON.parse(localStorage.getItem(MEMORY) ?? "[]")) uploads.push(new Upload(one, null));
  } catch {
    localStorage.removeItem(MEMORY);
  }
}

remember();
window.addEventListener("dubflow:unlocked", () => {
  uploads.filter(({ state }) => state === "locked").forEach((upload) => resume(upload));
});
window.addEventListener("beforeunload", (event) => {
  if (uploads.some(({ state }) => ["running", "lost", "finishing"].includes(state))) event.preventDefault();
});
