/** The script as the page thinks of it: each line with its colour, its budget, and how much it worries. */

import { fillIn } from "./format.js";
import { strings } from "./strings.js";

const TONES = 6;
const WEIGHTS = { overflow: 4, kept_original: 4, translation_fallback: 3, unknown_words: 2, low_confidence: 2, fast: 1 };
const FAST = 1.2;

/** @param {object} told what `GET /jobs/{id}/script` answers */
export function scriptOf(told) {
  const speakers = new Map(told.speakers.map(({ id, name, library }, number) => [id, { number, name: name || library }]));
  const lines = told.utterances.map((utterance) => lineOf(utterance, speakers, told.target_language));
  const { target_language: language, revision, report, source } = told;
  return { language, revision, lines, report, seconds: source.duration };
}

function lineOf(told, speakers, language) {
  const { id, start, end, rate } = told;
  const flags = [...told.flags];
  if (rate > FAST && !flags.includes("overflow")) flags.push("fast");
  const { number, name } = speakers.get(told.speaker) ?? { number: 0, name: "" };
  return {
    id,
    language,
    start,
    end,
    placedStart: told.placed_start,
    placedEnd: told.placed_end,
    source: told.source_text,
    target: told.target_text,
    rate,
    flags,
    edited: told.edited,
    changed: told.changed,
    tone: (number % TONES) + 1,
    speakerName: name || nameOf(told.speaker),
    budget: told.budget_characters,
    worry: flags.reduce((sum, flag) => sum + (WEIGHTS[flag] ?? 0), 0),
  };
}

function nameOf(speaker) {
  const number = /^S(\d+)$/.exec(speaker)?.[1];
  return number ? fillIn(strings.script.speaker, { n: number }) : speaker || strings.script.unknownSpeaker;
}

/** The sound's peaks, the highest of them 1, how many of them are a second, and its length. */
export function peaksOf({ peaks, duration }) {
  const most = peaks.reduce((most, value) => Math.max(most, value), 0) || 1;
  return { values: peaks.map((value) => value / most), perSecond: peaks.length / duration, seconds: duration };
}
