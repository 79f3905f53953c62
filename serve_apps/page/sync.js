/** The original's sound beside a playing picture: always running, heard when chosen, held to the picture's clock. */

import { h } from "./dom.js";

const NEAR = 0.03;
const FAR = 0.3;
const NUDGE = 0.06;

/** @param {() => HTMLVideoElement} picture the one that is shown now; it carries the dub's sound */
export function soundOf(picture) {
  let chosen = "dub";
  let timer = 0;
  let failed = () => {};
  const original = h("audio", { preload: "auto" });
  original.addEventListener("error", () => original.getAttribute("src") && failed());

  /** Small drifts are walked off, large ones jumped over; both elements sound only through one of them. */
  function hold() {
    const video = picture();
    if (!original.getAttribute("src")) return;
    const drift = original.currentTime - video.currentTime;
    if (Math.abs(drift) > FAR || video.paused) {
      if (Math.abs(drift) > NEAR && !original.seeking) original.currentTime = video.currentTime;
      original.playbackRate = video.playbackRate;
    } else {
      const nudge = Math.abs(drift) > NEAR ? Math.max(-NUDGE, Math.min(NUDGE, -drift)) : 0;
      original.playbackRate = video.playbackRate * (1 + nudge);
    }
    const runs = !video.paused && !video.seeking && video.readyState > 2 && !video.ended;
    if (runs && original.paused) original.play().catch(() => {});
    if (!runs && !original.paused) original.pause();
  }

  function mute() {
    picture().muted = chosen === "original";
    original.muted = chosen !== "original";
  }

  return {
    element: original,
    chosen: () => chosen,
    choose(which) {
      chosen = which;
      mute();
      hold();
    },
    attach(src) {
      if (original.getAttribute("src") !== src) original.src = src;
      clearInterval(timer);
      timer = setInterval(hold, 200);
      mute();
    },
    detach() {
      clearInterval(timer);
      original.pause();
      original.removeAttribute("src");
    },
    unavailable: (listener) => (failed = listener),
  };
}
