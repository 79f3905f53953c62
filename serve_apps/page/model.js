/** A job as the page thinks of it, from what the service tells. */

import { stepOf } from "./stages.js";

const ACTIVE = new Set(["uploaded", "processing"]);
const ENDED = new Set(["completed", "failed", "cancelled"]);

/** @param {object} told a job of the list, or all about one */
export function jobOf(told) {
  return {
    id: told.job_id,
    name: told.name,
    progress: told.progress,
    step: told.current_stage ? stepOf(told.current_stage) : null,
    stages: (told.stages ?? []).flatMap(stagesOf),
    outputs: told.outputs?.map(outputOf) ?? told.target_languages.map((language) => assumed(language, told.status)),
    sourceLanguage: told.source_language,
    seconds: told.media_seconds,
    warnings: told.warnings ?? [],
    place: Number.isInteger(told.jobs_ahead) ? told.jobs_ahead + 1 : null,
    drafted: told.status === "awaiting_review" || Boolean(told.reviewed),
    created: Date.parse(told.created_at),
    updated: Date.parse(told.updated_at),
    due: told.estimated_completion ? Date.parse(told.estimated_completion) : null,
    ...statusOf(told.status, told.attempt ?? 0, told.error),
  };
}

const statusOf = (status, attempt, error) => ({
  status,
  attempt,
  error: error ?? null,
  active: ACTIVE.has(status),
  ended: ENDED.has(status),
});

/** One entry a language for the stages that have those, one for the others. */
function stagesOf({ name, status, progress, languages }) {
  const entry = (language, one) => ({ stage: name, language, status: one.status, share: one.progress / 100 });
  return languages.length ? languages.map((one) => entry(one.language, one)) : [entry("", { status, progress })];
}

function outputOf({ language, status, files, report, error }) {
  return { language, status, types: files.map(({ type }) => type), report, error };
}

/** True where there is a result to play; while its changes are spoken, that is the one from before. */
export const isMade = (output) => Boolean(output?.types.length);

const assumed = (language, status) => ({
  language,
  status: { completed: "completed", failed: "failed", processing: "running" }[status] ?? "pending",
  types: [],
  report: null,
  error: null,
});

/** The job after an event; events carry the new state of a thing, never a difference to the old one. */
export function applyEvent(job, { kind, data, estimated_completion: due }) {
  const now = { ...job, progress: data.progress ?? job.progress };
  if (due !== undefined) now.due = due && Date.parse(due);
  if (kind === "stage") return { ...now, ...stageChanged(job, data) };
  if (kind === "output") return { ...now, outputs: outputsChanged(job.outputs, data) };
  if (kind === "warning") return { ...now, warnings: [...job.warnings, { code: data.code, message: data.message }] };
  if (kind === "job") return { ...now, ...statusOf(data.status, data.attempt, data.failure), updated: Date.now() };
  return now;
}

function stageChanged(job, { stage, language = "", status, expected, done, failed }) {
  const share = status === "completed" ? 1 : expected ? (done + failed) / expected : 0;
  const others = job.stages.filter((one) => one.stage !== stage || one.language !== language);
  return { stages: [...others, { stage, language, status, share }], step: status === "running" ? stepOf(stage) : job.step };
}

function outputsChanged(outputs, { language, status, failure }) {
  const before = outputs.find((one) => one.language === language) ?? { language, types: [], report: null };
  const after = { ...before, status, error: failure ?? null };
  return outputs.some((one) => one.language === language) ? outputs.map((one) => (one.language === language ? after : one)) : [...outputs, after];
}

/** Seconds until a job is done, where the service dares to say. */
export function secondsLeft(job, now = Date.now()) {
  return job.due && job.active ? Math.max(0, (job.due - now) / 1000) : null;
}
