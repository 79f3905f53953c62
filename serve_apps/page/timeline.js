/** Two sounds over time with their lines as blocks: what is said where, by whom, and where a line runs over. */

import { button, fill, h } from "./dom.js";
import { clock, fillIn } from "./format.js";
import { strings } from "./strings.js";
import { draw, HEIGHT } from "./timelinedraw.js";

const STEP = 5;
const CLICK_PX = 4;
const MAX_ZOOM = 64;

/** @param {{seek: (seconds: number) => void, play: (seconds: number) => void}} does a click plays, dragging only seeks */
export function timeline({ seek, play }) {
  const state = { seconds: 0, lines: [], speakers: [], peaks: {}, dubbed: false, at: 0, current: null, zoom: 1, left: 0, width: 0 };
  const canvas = h("canvas", { height: HEIGHT });
  const spacer = h("div", { class: "timeline-spacer" });
  const scroller = h("div", { class: "timeline-scroll", tabindex: "-1" }, canvas, spacer);
  const slider = h("div", { class: "timeline-slider", role: "slider", tabindex: "0", "aria-label": strings.timeline.label, "aria-valuemin": "0" }, scroller);
  const closer = button(strings.timeline.in, { sign: "plus", bare: true, kind: "quiet small", onclick: () => zoom(2) });
  const wider = button(strings.timeline.out, { sign: "minus", bare: true, kind: "quiet small", onclick: () => zoom(0.5) });
  const legend = h("p", { class: "legend small soft" });
  const names = h("div", { class: "lanes small soft", "aria-hidden": "true" }, h("span", {}, strings.timeline.original), h("span", {}, strings.timeline.dub));
  const element = h("section", { class: "timeline", "aria-label": strings.timeline.region }, h("div", { class: "timeline-body" }, names, slider), h("div", { class: "timeline-foot" }, legend, h("span", { class: "push" }), wider, closer));
  let asked = 0;

  const paint = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => draw(canvas, state));
  };

  function size() {
    state.width = scroller.clientWidth;
    spacer.style.inlineSize = `${state.width * state.zoom}px`;
    state.left = scroller.scrollLeft;
    wider.disabled = state.zoom <= 1;
    closer.disabled = state.zoom >= MAX_ZOOM;
    paint();
  }

  function zoom(by) {
    state.zoom = Math.max(1, Math.min(MAX_ZOOM, state.zoom * by));
    size();
    centre();
  }

  const scale = () => (state.seconds ? (state.width * state.zoom) / state.seconds : 0);
  const centre = () => (scroller.scrollLeft = state.at * scale() - state.width / 2);

  function describe() {
    const line = state.lines.find(({ start, end }) => state.at >= start && state.at < end);
    const time = clock(state.at);
    const text = line ? fillIn(strings.timeline.line, { time, speaker: line.speakerName, text: line.target || line.source }) : time;
    slider.setAttribute("aria-valuemax", String(Math.round(state.seconds)));
    slider.setAttribute("aria-valuenow", String(Math.round(state.at)));
    slider.setAttribute("aria-valuetext", text);
  }

  const secondsAt = (event) => (event.clientX - canvas.getBoundingClientRect().left + state.left) / scale();
  let dragging = false;
  let from = 0;
  canvas.addEventListener("pointerdown", (event) => {
    dragging = true;
    from = event.clientX;
    canvas.setPointerCapture(event.pointerId);
    seek(secondsAt(event));
  });
  canvas.addEventListener("pointermove", (event) => dragging && seek(secondsAt(event)));
  canvas.addEventListener("pointerup", (event) => {
    if (dragging && Math.abs(event.clientX - from) < CLICK_PX) play(secondsAt(event));
    dragging = false;
  });
  canvas.addEventListener("pointercancel", () => (dragging = false));
  scroller.addEventListener("scroll", () => ((state.left = scroller.scrollLeft), paint()));
  slider.addEventListener("keydown", (event) => {
    const to = { ArrowRight: state.at + STEP, ArrowLeft: state.at - STEP, Home: 0, End: state.seconds }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    seek(to);
  });
  const sizes = new ResizeObserver(size);
  sizes.observe(scroller);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", paint);

  return {
    element,
    show({ seconds, lines, peaks, dubbed }) {
      if (seconds !== undefined) state.seconds = seconds;
      if (lines) state.lines = lines;
      if (peaks) state.peaks = peaks;
      if (dubbed !== undefined) state.dubbed = dubbed;
      const marks = [["overflow", strings.timeline.overflow], ["low_confidence", strings.timeline.unsure]];
      const shown = marks.filter(([flag]) => state.lines.some(({ flags }) => flags.includes(flag) && (state.dubbed || flag !== "overflow")));
      fill(legend, ...shown.map(([flag, text]) => h("span", { class: `mark-${flag}` }, text)));
      size();
      describe();
    },
    move(seconds, playing) {
      state.at = seconds;
      const x = seconds * scale() - state.left;
      if (playing && state.zoom > 1 && !dragging && (x < 0 || x > state.width * 0.9)) centre();
      paint();
      describe();
    },
    select(id) {
      state.current = id;
      paint();
    },
    leave() {
      sizes.disconnect();
      dark.removeEventListener("change", paint);
    },
  };
}
