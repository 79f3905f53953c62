/** The eleven stages folded into six words that people know. */

import { h, icon, say } from "./dom.js";
import { percent } from "./format.js";
import { strings } from "./strings.js";

export const STEPS = [
  ["check", ["validation"]],
  ["listen", ["separation", "segmentation", "transcription"]],
  ["who", ["diarization", "gender_detection"]],
  ["translate", ["translation"]],
  ["speak", ["voice_assignment", "synthesis"]],
  ["assemble", ["assembly", "combination"]],
];

const STEP_OF = Object.fromEntries(STEPS.flatMap(([step, stages]) => stages.map((stage) => [stage, step])));

/** The step that a stage belongs to. */
export const stepOf = (stage) => STEP_OF[stage] ?? "check";

/**
 * Each step with its state and the share of it that is over; stages of several languages count by their mean.
 *
 * @param {Array<{stage: string, status: string, share: number}>} stages
 */
export function fold(stages) {
  return STEPS.map(([step, names]) => {
    const mine = stages.filter(({ stage }) => names.includes(stage));
    const all = (status) => mine.length > 0 && mine.every((one) => one.status === status);
    const any = (status) => mine.some((one) => one.status === status);
    const state = all("completed") ? "completed" : any("failed") ? "failed" : any("running") || any("completed") ? "running" : "pending";
    const share = mine.reduce((sum, one) => sum + one.share, 0) / Math.max(1, mine.length);
    return { step, state, share: state === "completed" ? 1 : share };
  });
}

/** A bar of six steps; `update` takes a job. */
export function stageBar() {
  const items = new Map(STEPS.map(([step]) => [step, item(step)]));
  const element = h("ol", { class: "steps", "aria-label": strings.stages.bar }, ...[...items.values()].map(({ element }) => element));
  return {
    element,
    update: (stages) => fold(stages).forEach(({ step, state, share }) => items.get(step).update(state, share)),
  };
}

function item(step) {
  const done = h("span", { class: "step-fill" });
  const name = strings.stages[step];
  const state = h("span", { class: "unseen" });
  const share = h("span", { class: "step-share", "aria-hidden": "true" });
  const element = h("li", { class: "step" }, h("span", { class: "step-track" }, done), h("span", { class: "step-name" }, icon("check"), name, share), state);
  return {
    element,
    update(now, part) {
      element.dataset.state = now;
      if (now === "running") element.setAttribute("aria-current", "step");
      else element.removeAttribute("aria-current");
      done.style.inlineSize = `${Math.round(part * 100)}%`;
      say(share, now === "running" && part > 0 ? percent(part) : "");
      say(state, `: ${strings.stages[now]}${now === "running" ? `, ${percent(part)}` : ""}`);
    },
  };
}
