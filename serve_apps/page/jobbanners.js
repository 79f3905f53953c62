/** What a job wants to be known: that it waits for a review, failed, was cancelled, or has notes to read. */

import { button, fill, h, icon } from "./dom.js";
import { counted, fillIn, language as nameOf } from "./format.js";
import { strings } from "./strings.js";

export function jobBanners({ retry, speakIt }) {
  const element = h("div", { class: "banners" });
  let drawn = "";
  return {
    element,
    update(job) {
      const now = JSON.stringify([job.status, job.error, job.warnings, job.outputs]);
      if (now === drawn) return;
      drawn = now;
      fill(element, ...bannersOf(job, retry, speakIt));
    },
  };
}

function bannersOf(job, retry, speakIt) {
  const again = button(strings.job.retry, { kind: "small", onclick: retry });
  if (job.status === "awaiting_review") {
    const go = button(strings.job.reviewGo, { sign: "speak", kind: "primary", onclick: speakIt });
    return [banner("note", strings.job.reviewTitle, [h("p", {}, strings.job.reviewText)], go)];
  }
  if (job.status === "cancelled") return [banner("note", strings.job.cancelledTitle, [h("p", {}, strings.job.cancelledText)], again)];
  if (job.status === "failed") return [banner("bad", strings.job.failedTitle, failure(job.error ?? { code: "internal" }, job.id), again)];
  const failed = job.outputs.filter(({ status, error }) => status === "failed" && error);
  const shown = failed.map(({ language, error }) =>
    banner("bad", fillIn(strings.job.languageFailed, { language: nameOf(language) }), failure(error, job.id), job.ended && again),
  );
  return job.warnings.length ? [...shown, notes(job.warnings)] : shown;
}

function banner(kind, title, content, action) {
  return h("section", { class: `banner ${kind}` }, icon(kind === "note" ? "speak" : "alert"), h("div", {}, h("h2", {}, title), ...content), action);
}

function failure(error, id) {
  const plain = strings.errors.plain[error.code];
  const told = error.message && error.message !== plain && h("p", { class: "told" }, error.message);
  const quote = h("p", { class: "quote" }, `${strings.job.quote} `, h("code", {}, error.code), " · ", h("code", {}, id));
  return [h("p", {}, plain ?? strings.errors.unknown), told, quote].filter(Boolean);
}

function notes(warnings) {
  const items = warnings.map(({ code, message }) => h("li", {}, strings.errors.plain[code] ?? message));
  return h("details", { class: "banner warn" }, h("summary", {}, counted(strings.job.warnings, warnings.length)), h("ul", {}, ...items));
}
