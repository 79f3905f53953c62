/** How good a dub is, in four numbers, and the way to its worst lines. */

import { button, fill, h } from "./dom.js";
import { count, counted, fillIn, number1, percent } from "./format.js";
import { strings } from "./strings.js";

const SAME_LOUDNESS_DB = 0.5;

/** @param {{showWorst: () => void}} does */
export function qualitySummary({ showWorst }) {
  const numbers = h("dl", { class: "numbers" });
  const worst = button("", { kind: "quiet small", onclick: showWorst });
  const element = h("section", { class: "quality", "aria-label": strings.quality.region }, numbers, worst);
  return {
    element,
    show({ report, lines }) {
      element.hidden = !report?.utterances;
      if (element.hidden) return;
      fill(numbers, ...fourOf(report).flatMap(([label, value, hint]) => h("div", { title: hint }, h("dt", {}, label), h("dd", {}, value))));
      const worrying = lines.filter(({ worry }) => worry > 0).length;
      worst.hidden = !worrying;
      fill(worst, counted(strings.script.attention, worrying));
    },
  };
}

function fourOf(report) {
  const words = strings.quality;
  const fit = fillIn(words.fitValue, { good: count(report.utterances - report.overflow_utterances), all: count(report.utterances) });
  return [
    [words.fit, fit, ""],
    [words.fill, percent(Math.min(1, report.fill_ratio)), words.fillHint],
    [words.fast, fillIn(words.times, { n: number1(report.max_rate, 2) }), words.fastHint],
    [words.loudness, loudnessOf(report), words.loudnessHint],
  ];
}

function loudnessOf({ loudness_source_lufs: source, loudness_dub_lufs: dub }) {
  if (typeof source !== "number" || typeof dub !== "number") return "–";
  const difference = dub - source;
  if (Math.abs(difference) < SAME_LOUDNESS_DB) return strings.quality.loudnessSame;
  const words = difference > 0 ? strings.quality.louder : strings.quality.softer;
  return fillIn(words, { n: number1(Math.abs(difference)) });
}
