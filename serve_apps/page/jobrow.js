/** One job in the library. */

import { urls } from "./api.js";
import { button, fill, h, icon, say } from "./dom.js";
import { clock, fillIn, language, percent, since, timeLeft } from "./format.js";
import { secondsLeft } from "./model.js";
import { strings } from "./strings.js";

const ACTIONS = {
  uploaded: "cancel",
  processing: "cancel",
  failed: "retry",
  cancelled: "retry",
};

const SEEN = new Set(["completed", "awaiting_review"]);

/** @param {{act: (action: string, job: object) => void, go: (path: string) => void}} does */
export function jobRow({ act, go }) {
  const poster = h("span", { class: "poster" }, icon("film"));
  const name = h("a", { class: "row-name", "data-route": true });
  const about = h("span", { class: "soft small" });
  const chips = h("ul", { class: "chips" });
  const words = h("span", { class: "state-words" });
  const fillBar = h("span", {});
  const bar = h("span", { class: "thin-bar", "aria-hidden": "true" }, fillBar);
  const state = h("div", { class: "state" }, words, bar);
  const action = h("div", { class: "row-action" });
  const element = h("li", { class: "row" }, poster, h("div", { class: "row-what" }, name, about), chips, state, action);
  let drawn = "";
  let pictured = false;

  function update(job) {
    const title = job.name || strings.library.untitled;
    name.href = `/jobs/${encodeURIComponent(job.id)}`;
    say(name, title);
    name.dir = "auto";
    const from = job.sourceLanguage && fillIn(strings.library.from, { language: language(job.sourceLanguage) });
    say(about, [job.seconds && clock(job.seconds), from, since(job.created)].filter(Boolean).join(" · "));
    element.dataset.status = job.status;
    drawState(job);
    const now = JSON.stringify([job.outputs, job.status]);
    if (now !== drawn) {
      drawn = now;
      fill(chips, ...job.outputs.map((output) => chip(output, job)));
      fill(action, actionFor(job, title));
    }
    if (!pictured && (job.seconds || SEEN.has(job.status))) {
      pictured = true;
      const picture = h("img", { alt: "", loading: "lazy", src: urls.poster(job.id) });
      picture.addEventListener("error", () => fill(poster, icon("speak"))); // sound without a picture
      fill(poster, picture);
    }
  }

  function drawState(job) {
    const left = secondsLeft(job);
    say(words, rowWords(job, left));
    bar.hidden = job.status !== "processing";
    fillBar.style.inlineSize = `${job.progress}%`;
  }

  function actionFor(job, title) {
    const does = ACTIONS[job.status];
    if (!does) {
      const label = job.status === "awaiting_review" ? strings.library.review_action : strings.library.open;
      const link = h("a", { class: "button small", href: name.href, "data-route": true }, label);
      link.setAttribute("aria-label", fillIn(strings.library.actionOn, { action: label, name: title }));
      return link;
    }
    const label = strings.library[does];
    const one = button(label, { kind: "small", onclick: () => ((one.disabled = true), act(does, job)) });
    one.setAttribute("aria-label", fillIn(strings.library.actionOn, { action: label, name: title }));
    return one;
  }

  element.addEventListener("click", (event) => {
    if (!event.target.closest("a, button") && !getSelection().toString()) go(new URL(name.href).pathname);
  });
  return { element, update };
}

/** What a job is doing, or why it does nothing more, in a few words. */
function rowWords(job, left) {
  const plain = job.status === "failed" && job.error && strings.errors.plain[job.error.code];
  return plain || stateWords(job, left);
}

/** What a job is doing, in a few words. */
export function stateWords(job, left) {
  if (job.status === "processing") {
    const doing = job.step ? strings.stages.doing[job.step] : strings.status.processing;
    return [doing, left === null ? percent(job.progress / 100) : timeLeft(left)].join(" · ");
  }
  if (job.status === "uploaded" && job.attempt > 0) return strings.status.retrying;
  if (job.status === "uploaded" && job.place !== null) {
    return job.place <= 1 ? strings.status.next : fillIn(strings.status.queued, { place: job.place });
  }
  if (job.status === "completed" && (job.warnings.length || job.outputs.some(({ status }) => status === "failed"))) {
    return strings.status.warned;
  }
  return strings.status[job.status] ?? job.status;
}

function chip(output, job) {
  const status = job.status === "cancelled" && output.status === "failed" ? "pending" : output.status;
  const sign = { completed: "check", failed: "alert" }[status];
  const said = h("span", { class: "unseen" }, `: ${strings.output[status]}`);
  return h("li", { class: "chip", dataset: { status } }, sign && icon(sign), language(output.language), said);
}
