/** Times, sizes and names, as the language of the sentences around them has it where the reader lives. */

import { strings } from "./strings.js";

const locale = navigator.languages.find((tag) => tag.split("-")[0] === strings.language) ?? strings.language;
const number = new Intl.NumberFormat(locale);
const whole = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const dates = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const ago = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const names = new Intl.DisplayNames(locale, { type: "language", languageDisplay: "standard" });
const plural = new Intl.PluralRules(locale);
const lists = new Intl.ListFormat(locale, { type: "conjunction" });

export const count = (value) => number.format(value);
export const percent = (share) => whole.format(share);
export const list = (texts) => lists.format(texts);
export const date = (when) => dates.format(when);

/** A template with one `{n}` in the form that the number asks for: `{one: "...", other: "..."}`. */
export const counted = (forms, n) => (forms[plural.select(n)] ?? forms.other).replace("{n}", number.format(n));

/** Fills `{name}` places of a template. */
export const fillIn = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

export function number1(value, digits = 1) {
  return new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function bytes(size) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = size > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(size) / 3)) : 0;
  const digits = power > 1 && size / 1000 ** power < 10 ? 1 : 0;
  const style = { style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale, style).format(size / 1000 ** power);
}

/** A point in a film: `1:02:03`, `2:03`, with tenths where asked. */
export function clock(seconds, tenths = false) {
  const total = Math.max(0, tenths ? Math.floor(seconds * 10 + 1e-6) / 10 : Math.floor(seconds + 1e-6));
  const parts = [Math.floor(total / 3600), Math.floor(total / 60) % 60, Math.floor(total) % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  const text = shown.map((part, i) => (i ? String(part).padStart(2, "0") : String(part))).join(":");
  return tenths ? `${text}.${Math.round((total % 1) * 10) % 10}` : text;
}

/** How long something takes, roughly: `45 sec`, `3 min`, `1 hr 20 min`. */
export function duration(seconds) {
  const unit = (value, name) =>
    new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "short" }).format(value);
  if (seconds < 60) return unit(Math.max(1, Math.round(seconds)), "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return unit(minutes, "minute");
  const rest = minutes % 60;
  return unit(Math.floor(minutes / 60), "hour") + (rest ? ` ${unit(rest, "minute")}` : "");
}

export function timeLeft(seconds) {
  if (seconds < 5) return strings.time.almost;
  const step = seconds < 60 ? 5 : seconds < 600 ? 30 : 60;
  return fillIn(strings.time.left, { time: duration(Math.ceil(seconds / step) * step) });
}

/** How long ago, from milliseconds since the epoch. */
export function since(when, now = Date.now()) {
  const seconds = (when - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return ago.format(0, "minute");
  if (size < 3600) return ago.format(Math.round(seconds / 60), "minute");
  if (size < 86400) return ago.format(Math.round(seconds / 3600), "hour");
  if (size < 7 * 86400) return ago.format(Math.round(seconds / 86400), "day");
  return date(when);
}

export const inSeconds = (seconds) => ago.format(seconds, "second");

export function language(code) {
  try {
    return names.of(code);
  } catch {
    return code;
  }
}
