/** The library: where videos are dropped, and all that was made of them. */

import { api } from "./api.js";
import { announce, button, fill, h, say } from "./dom.js";
import { dropArea } from "./drop.js";
import { fillIn } from "./format.js";
import { jobRow } from "./jobrow.js";
import { jobOf } from "./model.js";
import { newDub } from "./newdub.js";
import { strings } from "./strings.js";
import { uploadList } from "./uploadlist.js";
import { uploads, watchUploads } from "./uploads.js";

const FILTERS = [
  ["", strings.library.all],
  ["processing", strings.library.working],
  ["awaiting_review", strings.library.review],
  ["completed", strings.library.done],
  ["failed", strings.library.failed],
  ["cancelled", strings.library.cancelled],
];
const BUSY_MS = 2000;
const IDLE_MS = 20_000;
const MOST_LOOKS = 12;

export function enter(main, { go, showProblem }) {
  document.title = strings.title;
  const state = { filter: new URLSearchParams(location.search).get("status") ?? "", jobs: new Map(), cursor: null, seen: false, paged: false };
  let timer = 0;
  let gone = false;

  const open = (files) => files.length && newDub(files, { jobs: [...state.jobs.values()], showProblem });
  const drop = dropArea(open);
  const rows = h("ul", { class: "rows", "aria-label": strings.library.heading, "aria-busy": "true" });
  const more = button(strings.library.more, { kind: "quiet", hidden: true, onclick: () => load({ older: true }) });
  const filters = filterBar(state, () => {
    state.jobs.clear();
    shown.clear();
    Object.assign(state, { seen: false, paged: false });
    fill(rows, ...skeletons());
    load();
  });
  const nothing = h("div", {});
  const shown = new Map();
  const details = new Map();
  const heading = h("h1", { class: "unseen" }, strings.library.heading);
  main.append(heading, drop.element, uploadList(open), filters, nothing, rows, h("div", { class: "centre" }, more));
  fill(rows, ...skeletons());

  async function load({ older = false } = {}) {
    clearTimeout(timer);
    const asked = state.filter;
    try {
      const page = await api.jobs({ status: asked, cursor: older ? state.cursor : null });
      if (gone || asked !== state.filter) return;
      const jobs = page.items.map(jobOf);
      if (older || !state.paged) state.cursor = page.next_cursor;
      merge(jobs, older);
      draw();
      await look();
    } catch (problem) {
      if (!state.seen) rows.setAttribute("aria-busy", "true");
      showProblem(problem);
    }
    plan();
  }

  /** A list is short of details: those of jobs that move, and of the languages of those that have ended, once. */
  async function look() {
    const known = (job) => details.get(job.id)?.updated === job.updated;
    const wanted = [...state.jobs.values()].filter((job) => job.active || (job.outputs.length > 1 && !known(job)));
    const told = await Promise.allSettled(wanted.slice(0, MOST_LOOKS).map(({ id }) => api.status(id)));
    for (const job of told.filter(({ status }) => status === "fulfilled").map(({ value }) => jobOf(value))) details.set(job.id, job);
    if (!gone && wanted.length) draw();
  }

  const detailed = (job) => {
    const known = details.get(job.id);
    return known && known.status === job.status && known.updated >= job.updated ? known : job;
  };

  /** The newest page replaces what it covers; what is older stays where it is. */
  function merge(jobs, older) {
    if (older) {
      state.paged = true;
      jobs.forEach((job) => state.jobs.set(job.id, job));
      return;
    }
    const last = jobs.at(-1);
    const rest = state.paged && last ? [...state.jobs.values()].filter((job) => job.created < last.created) : [];
    state.jobs = new Map([...jobs, ...rest].map((job) => [job.id, job]));
  }

  function draw() {
    if (!state.seen) fill(rows);
    state.seen = true;
    rows.setAttribute("aria-busy", "false");
    for (const [id, row] of shown) {
      if (!state.jobs.has(id)) {
        row.element.remove();
        shown.delete(id);
      }
    }
    let before = null;
    for (const job of state.jobs.values()) {
      const row = shown.get(job.id) ?? jobRow({ act, go });
      shown.set(job.id, row);
      row.update(detailed(job));
      const place = before ? before.nextSibling : rows.firstChild;
      if (row.element !== place) rows.insertBefore(row.element, place);
      before = row.element;
    }
    more.hidden = !state.cursor;
    empty();
  }

  function empty() {
    const first = state.seen && !state.jobs.size && !state.filter && !uploads.length;
    filters.hidden = first;
    drop.grow(first);
    if (!state.seen || state.jobs.size) return fill(nothing);
    if (first) return fill(nothing, welcome(open, showProblem));
    return fill(nothing, state.filter && h("p", { class: "blank" }, strings.library.none));
  }

  async function act(action, job) {
    try {
      await api[action](job.id);
    } catch (problem) {
      showProblem(problem);
    }
    await load();
  }

  function plan() {
    clearTimeout(timer);
    if (gone || document.hidden) return;
    const busy = [...state.jobs.values()].some(({ active }) => active);
    timer = setTimeout(load, busy ? BUSY_MS : IDLE_MS);
  }

  const unwatch = watchUploads((upload, job) => {
    if (!job) return empty();
    announce(fillIn(strings.upload.accepted, { name: upload.name }));
    return load();
  });
  const again = () => !document.hidden && load();
  const events = ["dubflow:unlocked", "dubflow:back"];
  events.forEach((name) => window.addEventListener(name, again));
  document.addEventListener("visibilitychange", again);
  load();

  return () => {
    gone = true;
    clearTimeout(timer);
    unwatch();
    drop.leave();
    events.forEach((name) => window.removeEventListener(name, again));
    document.removeEventListener("visibilitychange", again);
  };
}

function filterBar(state, changed) {
  const buttons = FILTERS.map(([status, label]) =>
    h("button", { type: "button", class: "filter", "aria-pressed": String(status === state.filter), onclick: () => choose(status) }, label),
  );
  const choose = (status) => {
    state.filter = status;
    history.replaceState(null, "", status ? `/?status=${status}` : "/");
    buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(FILTERS[i][0] === status)));
    changed();
  };
  return h("div", { class: "filters", role: "group", "aria-label": strings.library.filters }, ...buttons);
}

function skeletons() {
  const bone = (kind) => h("span", { class: `bone ${kind}` });
  const row = () => h("li", { class: "row", "aria-hidden": "true" }, bone("poster"), h("div", {}, bone("long"), bone("short")), bone("short"));
  return [h("li", { class: "unseen" }, strings.library.loading), row(), row(), row()];
}

function welcome(open, showProblem) {
  const sample = button(strings.library.sample, {
    sign: "play",
    onclick: async () => {
      sample.disabled = true;
      const words = sample.querySelector("span");
      say(words, strings.library.sampleLoading);
      try {
        const clip = await fetch(new URL("sample.mp4", import.meta.url));
        open([new File([await clip.blob()], "jfk.mp4", { type: "video/mp4", lastModified: 0 })]);
      } catch {
        showProblem({ words: strings.errors.unknown, code: "away" });
      }
      sample.disabled = false;
      say(words, strings.library.sample);
    },
  });
  return h("section", { class: "welcome" }, h("h2", {}, strings.library.emptyTitle), h("p", { class: "soft" }, strings.library.emptyText), sample);
}
