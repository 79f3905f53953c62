/** The panel that makes jobs of files: says what is missing before anything is uploaded. */

import { button, fill, h, icon, say } from "./dom.js";
import { bytes, clock, counted, duration, fillIn, language } from "./format.js";
import { languagePicker } from "./languagepicker.js";
import { inspect } from "./inspect.js";
import { service } from "./service.js";
import { strings } from "./strings.js";
import { add } from "./uploads.js";

const LAST_CHOICE = "dubflow.choice";
const SERIES = "dubflow.series";
const MOST_SERIES = 20;

/** @param {File[]} files */
export async function newDub(files, { jobs, showProblem }) {
  let limits;
  let languages;
  try {
    [limits, languages] = await Promise.all([service.limits(), service.languages()]);
  } catch (problem) {
    showProblem(problem);
    return;
  }
  panel(files.map((file) => ({ file, about: { problem: null, seconds: null } })), limits, languages, paceOf(jobs));
}

function panel(entries, limits, languages, pace) {
  const last = remembered();
  const close = button(strings.create.close, { sign: "close", bare: true, kind: "quiet", onclick: () => dialog.close() });
  const fileRows = h("ul", { class: "files" });
  const source = sourceSelect(languages, last.source);
  const picker = languagePicker({
    languages: languages.filter(({ target }) => target),
    chosen: last.targets,
    changed: () => check(),
  });
  const options = moreOptions(last);
  const cost = h("p", { class: "soft", role: "status" });
  const problems = h("ul", { class: "problems", role: "alert" });
  const start = h("button", { type: "submit", class: "button primary wide" });
  const form = h(
    "form",
    { class: "panel-form", novalidate: true },
    h("div", { class: "dialog-head" }, h("h2", { id: "panel-title" }, strings.create.title), close),
    h("div", { class: "panel-body stack" }, fileRows, source.element, picker.element, options.element),
    h("div", { class: "panel-foot stack" }, cost, problems, start),
  );
  const dialog = h("dialog", { class: "panel", "aria-labelledby": "panel-title" }, form);
  let tried = false;

  const targets = () => picker.chosen();
  const missing = () => {
    const found = entries.map(({ about }) => about.problem).filter(Boolean);
    if (!entries.length) found.push(strings.create.needFile);
    if (!languages.some(({ target }) => target)) found.push(strings.create.noLanguages);
    else if (!targets().length && tried) found.push(strings.create.needLanguage);
    const same = targets().find((code) => code === source.value());
    if (same) found.push(fillIn(strings.create.same, { language: language(same) }));
    return found;
  };

  function check() {
    const found = missing();
    options.offerCloning(languages.some(({ code, voice_cloning: clones }) => clones && targets().includes(code)));
    fill(problems, ...found.map((text) => h("li", {}, icon("alert"), text)));
    problems.hidden = !found.length;
    say(start, counted(strings.create.start, Math.max(1, entries.length)));
    say(cost, found.length ? "" : costOf(entries, targets().length, pace));
    return found.length === 0 && targets().length > 0;
  }

  function drawFiles() {
    fill(fileRows, ...entries.map((entry) => fileRow(entry, entries.length > 1, () => {
      entries.splice(entries.indexOf(entry), 1);
      drawFiles();
    })));
    check();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tried = true;
    if (!check()) return picker.focusIfEmpty();
    const chosen = { source: source.value(), targets: targets(), ...options.value() };
    localStorage.setItem(LAST_CHOICE, JSON.stringify(chosen));
    const series = options.series();
    if (series) rememberSeries(series);
    entries.forEach(({ file }) => add(file, requestOf({ ...chosen, series, consent: options.consent() })));
    return dialog.close();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  drawFiles();
  dialog.showModal();
  picker.focus();
  entries.forEach(async (entry) => {
    entry.about = await inspect(entry.file, limits);
    if (dialog.open) drawFiles();
  });
  if (!languages.some(({ target }) => target)) {
    languagesOf(dialog).then((known) => {
      dialog.close();
      panel(entries, limits, known, pace);
    });
  }
}

/** A service that has just been started tells its languages once its models are up: asks until then, while wanted. */
async function languagesOf(dialog) {
  for (;;) {
    await new Promise((soon) => setTimeout(soon, 1000));
    if (!dialog.open) return new Promise(() => {});
    const known = await service.languages().catch(() => []);
    if (dialog.open && known.some(({ target }) => target)) return known;
  }
}

function fileRow({ file, about }, several, leaveOut) {
  const length = about.seconds ? clock(about.seconds) : strings.create.unknownLength;
  const out = fillIn(strings.create.remove, { name: file.name });
  return h(
    "li",
    { class: `file ${about.problem ? "wrong-file" : ""}` },
    icon(about.problem ? "alert" : "film"),
    h("div", {}, h("strong", { dir: "auto" }, file.name), h("span", { class: "soft small" }, `${length} · ${bytes(file.size)}`)),
    several && button(out, { sign: "close", bare: true, kind: "quiet", onclick: leaveOut }),
  );
}

function sourceSelect(languages, last) {
  const choices = languages.filter(({ source }) => source);
  const select = h(
    "select",
    { id: "source" },
    h("option", { value: "" }, strings.create.auto),
    ...choices.map(({ code, label, native_name: native }) => {
      const option = h("option", {}, native && native !== label ? `${label} · ${native}` : label);
      option.value = code;
      return option;
    }),
  );
  select.value = choices.some(({ code }) => code === last) ? last : "";
  return { element: h("div", { class: "field" }, h("label", { for: "source" }, strings.create.source), select), value: () => select.value };
}

function moreOptions(last) {
  const speakers = h("select", { id: "speakers" }, ...["", "1", "2", "3", "4", "5"].map((n) => {
    const option = h("option", {}, n === "" ? strings.create.speakersAuto : n === "5" ? strings.create.speakersMany : n);
    option.value = n;
    return option;
  }));
  speakers.value = last.speakers ?? "";
  const background = h("input", { type: "checkbox", id: "background" });
  background.checked = last.background ?? true;
  const review = h("input", { type: "checkbox", id: "review" });
  review.checked = last.review ?? false;
  // Offered and never filled in: whose film is taken for one of a series is known in the series from then on.
  const known = h("datalist", { id: "known-series" }, ...seriesBefore().map((name) => h("option", { value: name })));
  const series = h("input", { type: "text", id: "series", maxlength: "100", list: "known-series", autocomplete: "off", dir: "auto" });
  const seriesHelp = h("span", { class: "soft small", id: "series-help" }, strings.create.seriesHelp);
  series.setAttribute("aria-describedby", seriesHelp.id);
  // Never remembered: consent is given for these films, not for the next ones.
  const cloning = h("input", { type: "checkbox", id: "cloning" });
  const cloningField = h("label", { class: "check" }, cloning, h("span", {}, strings.create.cloneVoices));
  cloningField.hidden = true;
  const element = h(
    "div",
    { class: "stack" },
    h("div", { class: "field" }, h("label", { for: "speakers" }, strings.create.speakers), speakers),
    h("div", { class: "field" }, h("label", { for: "series" }, strings.create.series), series, known, seriesHelp),
    h("label", { class: "check" }, background, h("span", {}, strings.create.background)),
    cloningField,
    h("label", { class: "check" }, review, h("span", {}, strings.create.review)),
  );
  return {
    element,
    offerCloning: (offered) => {
      cloningField.hidden = !offered;
    },
    value: () => ({ speakers: speakers.value, background: background.checked, review: review.checked }),
    consent: () => !cloningField.hidden && cloning.checked,
    series: () => series.value.trim(),
  };
}

function requestOf({ source, targets, speakers, background, review, series, consent }) {
  const options = { keep_background: background };
  if (series) options.series = series;
  if (consent) options.clone_voices = true;
  if (speakers) options.min_speakers = Number(speakers);
  if (speakers && speakers !== "5") options.max_speakers = Number(speakers);
  return { source_language: source || "auto", target_languages: targets, options, review };
}

/** Seconds of work for a second of film, from what was dubbed here before; null where nothing was. */
function paceOf(jobs) {
  const known = jobs
    .filter(({ status, seconds, outputs }) => status === "completed" && seconds && outputs.length)
    .map(({ created, updated, seconds, outputs }) => (updated - created) / 1000 / seconds / outputs.length)
    .sort((a, b) => a - b);
  return known.length ? known[Math.floor(known.length / 2)] : null;
}

function costOf(entries, languages, pace) {
  const seconds = entries.reduce((sum, { about }) => sum + (about.seconds ?? 0), 0);
  if (!pace || !seconds || !languages) return strings.time.estimateUnknown;
  return fillIn(strings.time.estimate, { time: duration(seconds * pace * languages) });
}

function seriesBefore() {
  try {
    return JSON.parse(localStorage.getItem(SERIES) ?? "[]");
  } catch {
    return [];
  }
}

function rememberSeries(name) {
  const names = [name, ...seriesBefore().filter((other) => other !== name)];
  localStorage.setItem(SERIES, JSON.stringify(names.slice(0, MOST_SERIES)));
}

function remembered() {
  try {
    return { targets: [], source: "", ...JSON.parse(localStorage.getItem(LAST_CHOICE) ?? "{}") };
  } catch {
    return { targets: [], source: "" };
  }
}
