/** The top of a job: its name, how far it is, and what can be done with it. */

import { button, h, say } from "./dom.js";
import { clock, fillIn, language as nameOf } from "./format.js";
import { stateWords } from "./jobrow.js";
import { languagePicker } from "./languagepicker.js";
import { menu } from "./menu.js";
import { isMade, secondsLeft } from "./model.js";
import { service } from "./service.js";
import { stageBar } from "./stages.js";
import { strings } from "./strings.js";
import { urls } from "./api.js";

const TYPES = ["video", "audio", "srt", "vtt", "script"];

export function jobHead(does) {
  const back = h("a", { class: "back soft small", href: "/", "data-route": true }, `‹ ${strings.job.back}`);
  const name = h("h1", { dir: "auto" }, h("span", { class: "bone long" }));
  const state = h("p", { class: "job-state soft", role: "status" });
  const downloads = menu(strings.downloads.title, { sign: "down", kind: "primary" });
  const more = menu(strings.job.more, { sign: "more", bare: true, kind: "quiet" });
  const bar = stageBar();
  const steps = h("div", { class: "steps-frame" }, bar.element);
  const actions = h("div", { class: "head-actions" }, downloads.element, more.element);
  const element = h("header", { class: "job-head" }, h("div", { class: "head-row" }, h("div", { class: "head-words" }, back, name, state), actions), steps);
  let job = null;
  let timer = 0;
  actions.hidden = steps.hidden = true; // until it is known what there is

  function tick() {
    clearTimeout(timer);
    const left = secondsLeft(job);
    const from = job.sourceLanguage && fillIn(strings.library.from, { language: nameOf(job.sourceLanguage) });
    say(state, [job.seconds && clock(job.seconds), from, stateWords(job, left)].filter(Boolean).join(" · "));
    if (left !== null && element.isConnected) timer = setTimeout(tick, 5000);
  }

  function update(now, language) {
    job = now;
    actions.hidden = false;
    say(name, job.name || strings.library.untitled);
    tick();
    state.dataset.status = job.status;
    bar.update(job.stages);
    steps.hidden = job.status === "completed";
    const ready = job.outputs.filter(isMade);
    downloads.element.hidden = !ready.length;
    downloads.show(() => downloadItems(job, ready, language));
    more.show(() => moreItems());
  }

  function moreItems() {
    const items = [];
    if (job.ended) items.push([strings.job.languages, () => addLanguages(job, does)]);
    if (job.status === "failed" || job.status === "cancelled") items.push([strings.job.retry, does.retry]);
    if (!job.ended) items.push([strings.job.cancel, does.cancel]);
    if (job.ended) items.push([strings.job.delete, () => sure(job, does), "danger"]);
    return items;
  }

  return { element, update };
}

function downloadItems(job, ready, language) {
  const order = [...ready].sort((a, b) => (b.language === language) - (a.language === language));
  const items = order.flatMap((output) => [
    [nameOf(output.language)],
    ...TYPES.filter((type) => type === "audio" || output.types.includes(type)).map((type) => [strings.downloads[type], urls.file(job.id, type, output.language)]),
  ]);
  return [...items, [strings.player.original], [strings.downloads.source, urls.file(job.id, "source")]];
}

async function addLanguages(job, does) {
  const taken = new Set(job.outputs.map(({ language }) => language));
  const languages = (await service.languages()).filter(({ target, code }) => target && !taken.has(code));
  const go = h("button", { type: "submit", class: "button primary", disabled: true }, strings.job.addGo);
  const picker = languagePicker({ languages, chosen: [], changed: () => (go.disabled = !picker.chosen().length) });
  const { dialog, form } = ask(strings.job.addTitle, [h("p", { class: "soft" }, strings.job.addText), picker.element], go);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    does.addLanguages(picker.chosen());
  });
  picker.focus();
}

function sure(job, does) {
  const go = h("button", { type: "submit", class: "button danger" }, strings.job.deleteYes);
  const { dialog, form } = ask(strings.job.delete, [h("p", {}, fillIn(strings.job.deleteSure, { name: job.name }))], go, strings.job.keep);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    does.remove();
  });
}

function ask(title, body, go, keep = strings.create.close) {
  const form = h("form", { class: "stack" }, h("h2", { id: "ask-title" }, title), ...body, h("div", { class: "end" }, button(keep, { kind: "quiet", onclick: () => dialog.close() }), go));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "ask-title" }, form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, form };
}
