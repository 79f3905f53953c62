/** One job: watch it being made, compare the dub with the original, correct it, take it away. */

import { api, urls } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { fillIn, language as nameOf } from "./format.js";
import { jobHead } from "./jobhead.js";
import { jobBanners } from "./jobbanners.js";
import { listenToKeys } from "./keys.js";
import { peaksOf, scriptOf } from "./lines.js";
import { follow } from "./live.js";
import { applyEvent, isMade, jobOf } from "./model.js";
import { player } from "./player.js";
import { qualitySummary } from "./quality.js";
import { scriptPanel } from "./script.js";
import { strings } from "./strings.js";
import { timeline } from "./timeline.js";

const JUMP = 5;

export function enter(main, { id, go, showProblem }) {
  const state = { job: null, language: null, script: null, heard: null, made: "" };
  const undone = new Map();
  let gone = false;
  let unfollow = () => {};

  const attempt = async (work) => {
    try {
      return await work();
    } catch (problem) {
      showProblem(problem);
      return null;
    }
  };
  const act = (name, ...values) => attempt(async () => (await api[name](id, ...values), watch()));
  const does = {
    cancel: () => act("cancel"),
    retry: () => act("retry"),
    addLanguages: (codes) => act("addLanguages", codes),
    remove: () => attempt(async () => (await api.remove(id), go("/"))),
    speakIt: () => act("redub"),
  };

  const head = jobHead(does);
  const banners = jobBanners(does);
  const play = player({ moved, languageChosen: (code) => choose(code) });
  const playFrom = (seconds) => (play.seek(seconds), play.play());
  const line = timeline({ seek: (seconds) => play.seek(seconds), play: playFrom });
  const quality = qualitySummary({ showWorst: () => script.showWorst() });
  const script = scriptPanel({ seek: (seconds) => play.seek(seconds), play: playFrom, save, redub: () => act("redub", { language: state.language }) });
  const watchSide = h("div", { class: "watch" }, play.element, line.element, quality.element);
  const place = h("div", { class: "job" }, head.element, banners.element, h("div", { class: "job-body" }, watchSide, script.element));
  main.append(place);
  place.setAttribute("aria-busy", "true");
  quality.element.hidden = true;

  function watch() {
    unfollow();
    unfollow = follow(id, {
      snapshot: (told) => show(jobOf(told)),
      event: (event) => {
        if (state.job) show(applyEvent(state.job, event));
        if (event.kind !== "stage") details();
      },
      failed: missing,
    });
  }

  /** Files and reports are not part of events. */
  async function details() {
    const told = await attempt(() => api.status(id));
    if (told && !gone) show(jobOf(told));
  }

  function missing() {
    place.remove();
    document.title = strings.title;
    const link = h("a", { class: "button", href: "/", "data-route": true }, strings.job.back);
    fill(main, h("section", { class: "welcome" }, h("h1", {}, strings.job.notFound), h("p", { class: "soft" }, strings.job.notFoundText), link));
  }

  function show(job) {
    if (gone) return;
    const before = state.job;
    state.job = job;
    place.setAttribute("aria-busy", "false");
    document.title = fillIn(strings.titleOf, { name: job.name || strings.library.untitled });
    if (before && before.status !== "completed" && job.status === "completed") {
      announce(fillIn(strings.job.finished, { name: job.name }));
    }
    state.language = state.language ?? readyLanguage(job) ?? job.outputs[0]?.language ?? null;
    head.update(job, state.language);
    banners.update(job);
    const made = JSON.stringify([state.language, job.status, job.seconds, job.outputs.map(({ language, status, types }) => [language, status, types])]);
    if (made !== state.made) {
      state.made = made;
      refresh();
    } else if (before && before.step !== job.step && !state.script) {
      refreshScript();
    }
  }

  function choose(code) {
    state.language = code;
    state.script = null;
    show(state.job);
  }

  const output = () => state.job.outputs.find(({ language }) => language === state.language);
  const isReady = () => isMade(output());

  function refresh() {
    refreshPlayer();
    refreshScript();
    refreshPeaks();
  }

  function refreshPlayer() {
    const { job, language } = state;
    const ready = isReady();
    const silent = ready && !output().types.includes("video");
    const dub = ready && `${urls.file(id, silent ? "audio" : "video", language)}&made=${job.updated}`;
    const original = urls.file(id, "source");
    play.load({
      picture: dub || original,
      original,
      dubbed: ready,
      silent,
      captions: ready ? `${urls.file(id, "vtt", language)}&made=${job.updated}` : null,
      poster: silent ? null : urls.poster(id),
      language,
      languages: job.outputs.map((one) => one.language),
    });
  }

  async function refreshScript() {
    const { language } = state;
    if (!isReady() && !state.job.drafted) return drawScript();
    try {
      const told = await api.script(id, language);
      if (gone || language !== state.language) return;
      state.script = scriptOf(told);
    } catch (problem) {
      if (problem.code !== "conflict") showProblem(problem);
    }
    return drawScript();
  }

  function drawScript() {
    const { job, script: known } = state;
    const locked = !(job.ended || job.status === "awaiting_review");
    const waiting = waitingWords(job, known, state.language);
    script.show(known, { locked, waiting });
    quality.show({ report: isReady() ? (known?.report ?? output().report) : null, lines: known?.lines ?? [] });
    line.show({ seconds: lengthOf(), lines: known?.lines ?? [], dubbed: isReady() });
  }

  /** While a job is at work its sound may be known before anybody has written down how long it is. */
  const lengthOf = () => state.script?.seconds || state.job.seconds || state.heard || 0;

  async function refreshPeaks() {
    const { language } = state;
    const peaks = {};
    const ask = async (name, code) => {
      try {
        peaks[name] = peaksOf(await api.waveform(id, code));
      } catch (problem) {
        if (!["not_found", "conflict"].includes(problem.code)) showProblem(problem);
      }
    };
    await Promise.all([ask("original"), isReady() && ask("dub", language)]);
    if (gone || language !== state.language) return;
    state.heard = peaks.original?.seconds ?? null;
    line.show({ peaks, seconds: lengthOf() });
  }

  /** Without a text the line goes back to what it was before it was last saved here, or to what the machine said. */
  async function save(line, text) {
    const { language, script: known } = state;
    const before = known.lines.find(({ id: one }) => one === line);
    const wanted = text ?? undone.get(line) ?? null;
    undone.delete(line);
    if (text !== null && before.edited) undone.set(line, before.target);
    try {
      state.script = scriptOf(await api.edit(id, language, known.revision, line, wanted));
      drawScript();
      return true;
    } catch (problem) {
      const stale = problem.code === "conflict";
      showProblem(stale ? { ...problem, code: problem.code, words: strings.script.stale } : problem);
      if (stale) await refreshScript();
      return false;
    }
  }

  function moved(seconds, playing) {
    const current = script.follow(seconds, playing);
    line.move(seconds, playing);
    line.select(current);
  }

  const unlisten = listenToKeys({
    " ": () => play.toggle(),
    ArrowUp: () => script.step(-1),
    ArrowDown: () => script.step(1),
    ArrowLeft: () => play.seek(play.time() - JUMP),
    ArrowRight: () => play.seek(play.time() + JUMP),
    o: () => play.toggleSound(),
    c: () => play.toggleCaptions(),
    e: () => script.edit(),
    r: () => script.speak(),
    "/": () => script.search(),
  });
  window.addEventListener("dubflow:unlocked", watch);
  script.show(null, { locked: true, waiting: strings.job.loading });
  watch();

  return () => {
    gone = true;
    unfollow();
    unlisten();
    window.removeEventListener("dubflow:unlocked", watch);
    play.leave();
    line.leave();
  };
}

const readyLanguage = (job) => job.outputs.find(isMade)?.language;

function waitingWords(job, script, language) {
  if (script) return script.lines.length ? "" : strings.script.noSpeech;
  if (job.ended) return strings.script.unmade;
  const heard = ["translate", "speak", "assemble"].includes(job.step);
  return heard ? fillIn(strings.script.pendingLanguage, { language: nameOf(language) }) : strings.script.pending;
}
