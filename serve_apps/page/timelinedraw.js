/** Paints the part of the timeline that is in view. */

import { clock } from "./format.js";

const RULER = 20;
const LANE = 44;
const GAP = 4;
export const HEIGHT = RULER + 2 * LANE + GAP + 4;
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const TICK_PX = 72;
const BAR = 2;
const PITCH = 3;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{seconds: number, lines: object[], peaks: object, dubbed: boolean, at: number, current: string|null,
 *   zoom: number, left: number, width: number}} state
 */
export function draw(canvas, state) {
  const { width, seconds, zoom, left } = state;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(HEIGHT * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    canvas.style.inlineSize = `${width}px`;
    canvas.style.blockSize = `${HEIGHT}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, HEIGHT);
  if (!seconds || !width) return;
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const scale = (width * zoom) / seconds;
  const view = { context, width, scale, x: (t) => t * scale - left, t: (x) => (x + left) / scale, colour, font: style.fontFamily };
  ruler(view, seconds);
  const lanes = [
    { top: RULER, peaks: state.peaks.original, from: "start", to: "end", flag: "low_confidence" },
    { top: RULER + LANE + GAP, peaks: state.peaks.dub, from: "placedStart", to: "placedEnd", flag: "overflow" },
  ];
  for (const lane of lanes) paintLane(view, lane, state.dubbed || lane.from === "start" ? state : { ...state, lines: [] });
  playhead(view, state.at);
}

function ruler({ context, width, scale, x, t, colour, font }, seconds) {
  const step = STEPS.find((one) => one * scale >= TICK_PX) ?? STEPS.at(-1);
  context.font = `11px ${font}`;
  context.textBaseline = "middle";
  for (let at = Math.max(0, Math.floor(t(0) / step) * step); at <= Math.min(seconds, t(width)); at += step) {
    context.fillStyle = colour("line");
    context.fillRect(Math.round(x(at)), 12, 1, RULER - 14);
    context.fillStyle = colour("soft");
    const text = clock(at, step < 1);
    if (x(at) + context.measureText(text).width + 3 < width) context.fillText(text, Math.round(x(at)) + 3, 8);
  }
}

function paintLane(view, { top, peaks, from, to, flag }, { lines, current }) {
  const { context, width, x, colour } = view;
  context.fillStyle = colour("sunken");
  round(context, 0, top, width, LANE, 6);
  context.fill();
  const shown = lines.filter((line) => x(line[to]) > 0 && x(line[from]) < width);
  for (const line of shown) {
    const [left, right] = [x(line[from]) + 0.5, Math.max(x(line[from]) + 3, x(line[to]) - 0.5)];
    context.fillStyle = colour(`speaker-${line.tone}`);
    context.globalAlpha = line.id === current ? 0.3 : 0.16;
    round(context, left, top, right - left, LANE, 5);
    context.fill();
    context.globalAlpha = 1;
    if (line.id === current) {
      context.strokeStyle = colour(`speaker-${line.tone}`);
      context.lineWidth = 1.5;
      round(context, left + 0.75, top + 0.75, right - left - 1.5, LANE - 1.5, 4.5);
      context.stroke();
    }
  }
  wave(view, top, peaks, shown, from, to);
  for (const line of shown.filter(({ flags }) => flags.includes(flag))) mark(view, flag, top, x(line[from]), x(line[to]));
}

function wave({ context, width, t, colour }, top, peaks, lines, from, to) {
  if (!peaks?.values.length) return;
  const middle = top + LANE / 2;
  const quiet = colour("soft");
  let i = 0;
  for (let px = 0; px < width; px += PITCH) {
    const [first, last] = [t(px), t(px + PITCH)];
    const height = Math.max(1, loudest(peaks, first, last) * (LANE - 12));
    while (i < lines.length && lines[i][to] < first) i += 1;
    const inside = i < lines.length && lines[i][from] <= last;
    context.fillStyle = inside ? colour(`speaker-${lines[i].tone}`) : quiet;
    context.globalAlpha = inside ? 1 : 0.45;
    context.fillRect(px, middle - height / 2, BAR, height);
  }
  context.globalAlpha = 1;
}

function loudest({ values, perSecond }, first, last) {
  let most = 0;
  const end = Math.min(values.length - 1, Math.floor(last * perSecond));
  for (let i = Math.max(0, Math.floor(first * perSecond)); i <= end; i += 1) most = Math.max(most, values[i]);
  return most;
}

/** Overflow is a bar on top, doubt a row of dots below: told apart without colour. */
function mark({ context, colour }, flag, top, left, right) {
  context.fillStyle = colour("warn");
  if (flag === "overflow") {
    context.fillRect(left, top, right - left, 3);
    return;
  }
  for (let px = left + 3; px < right - 2; px += 6) {
    context.beginPath();
    context.arc(px, top + LANE - 4, 1.5, 0, 7);
    context.fill();
  }
}

function playhead({ context, width, x, colour }, at) {
  if (x(at) < -1 || x(at) > width + 1) return;
  const px = Math.max(4, Math.min(width - 4, Math.round(x(at)))); // at the very ends it would be half out of sight
  context.fillStyle = colour("ink");
  context.fillRect(px - 1, 6, 2, HEIGHT - 6);
  context.beginPath();
  context.arc(px, 6, 4, 0, 7);
  context.fill();
}

function round(context, left, top, width, height, radius) {
  context.beginPath();
  context.roundRect(left, top, Math.max(0, width), height, Math.min(radius, Math.max(0, width / 2)));
}
