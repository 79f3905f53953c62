/** What happens to a job, as it happens: by WebSocket, else server-sent events, else asking again and again. */

import { api, urls } from "./api.js";

const WAYS = [bySocket, byEvents, byAsking];
const ASK_MS = 3000;
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 15_000;
const OVER = 1000;
const WAKES = ["dubflow:back", "dubflow:unlocked"];
const HAS_ENDED = new Set(["completed", "failed", "cancelled"]);

/**
 * Follows a job until it has ended or the returned function is called.
 *
 * @param {string} id
 * @param {{snapshot: (told: object) => void, event: (event: object) => void, failed: (problem: Error) => void}} hears
 */
export function follow(id, hears) {
  let stopped = false;
  let close = () => {};
  let seq = 0;

  const told = (message) => {
    if (stopped) return;
    if (message.type === "snapshot") {
      seq = message.seq;
      hears.snapshot(message.job);
    } else if (message.seq > seq) {
      seq = message.seq;
      hears.event(message);
    }
  };

  (async () => {
    let way = 0;
    let pause = FIRST_PAUSE;
    while (!stopped) {
      // First a plain request: it shows a service that is away, asks for a key, and finds out that there is no such job.
      const job = await api.status(id).catch((problem) => (problem.status === 404 ? hears.failed(problem) || "gone" : null));
      if (stopped || job === "gone") return;
      if (job) {
        told({ type: "snapshot", seq: job.seq, job });
        if (HAS_ENDED.has(job.status)) return;
        const { ended, heard } = await new Promise((resolve) => (close = WAYS[way](id, seq, told, resolve)));
        if (stopped || ended) return;
        if (heard) pause = FIRST_PAUSE;
        else way = Math.min(way + 1, WAYS.length - 1);
      }
      await rest(pause, (end) => (close = end));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  })();

  return () => {
    stopped = true;
    close();
  };
}

/** Waits, shorter when the service or the key is back. */
function rest(milliseconds, started) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      WAKES.forEach((name) => window.removeEventListener(name, end));
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    WAKES.forEach((name) => window.addEventListener(name, end));
    started(end);
  });
}

function bySocket(id, after, told, over) {
  const socket = new WebSocket(urls.socket(id, after));
  let heard = false;
  socket.onmessage = ({ data }) => {
    heard = true;
    told(JSON.parse(data));
  };
  socket.onclose = ({ code }) => over({ ended: code === OVER, heard });
  return () => socket.close();
}

function byEvents(id, after, told, over) {
  const source = new EventSource(urls.events(id, after));
  let heard = false;
  source.onmessage = ({ data }) => {
    heard = true;
    told(JSON.parse(data));
  };
  source.onerror = () => {
    source.close();
    over({ ended: false, heard });
  };
  return () => source.close();
}

function byAsking(id, _after, told, over) {
  let timer = 0;
  const ask = async () => {
    try {
      const job = await api.status(id);
      told({ type: "snapshot", seq: job.seq, job });
      if (HAS_ENDED.has(job.status)) return over({ ended: true, heard: true });
    } catch {
      return over({ ended: false, heard: false });
    }
    timer = setTimeout(ask, ASK_MS);
    return undefined;
  };
  ask();
  return () => clearTimeout(timer);
}
