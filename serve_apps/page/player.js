/** The player: the dub and the original on one clock, so that switching between them moves nothing. */

import { button, fill, h, icon, say } from "./dom.js";
import { clock, fillIn, language as nameOf } from "./format.js";
import { soundOf } from "./sync.js";
import { strings } from "./strings.js";

const CAPTIONS = "dubflow.captions";
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];

/**
 * @param {{moved: (seconds: number, playing: boolean) => void, languageChosen: (code: string) => void}} told
 */
export function player({ moved, languageChosen }) {
  let made = null;
  let dubbed = false;
  const sound = soundOf(() => picture);
  const screen = h("div", { class: "screen" });
  const blank = h("p", { class: "screen-words", hidden: true });
  let picture = newPicture();
  screen.append(picture, blank, sound.element);

  const play = button(strings.player.play, { sign: "play", bare: true, kind: "primary round", onclick: toggle });
  const time = h("span", { class: "time" });
  const original = radio(strings.player.original, () => choose("original"));
  const dub = radio(strings.player.dub, () => choose("dub"));
  const switcher = h("div", { class: "segments", role: "radiogroup", "aria-label": strings.player.sound }, original, dub);
  const languages = h("select", { "aria-label": strings.player.language, onchange: () => languageChosen(languages.value) });
  const captions = button(strings.player.captions, { sign: "caption", bare: true, kind: "quiet", "aria-pressed": "false", onclick: toggleCaptions });
  const speed = h("select", { "aria-label": strings.player.speed, onchange: () => (picture.playbackRate = Number(speed.value)) });
  fill(speed, ...SPEEDS.map((rate) => h("option", {}, `${rate}×`)).map((one, i) => ((one.value = SPEEDS[i]), one)));
  speed.value = "1";
  const full = button(strings.player.full, { sign: "full", bare: true, kind: "quiet", onclick: () => element.requestFullscreen?.() });
  const note = h("p", { class: "soft small note", role: "status" });
  const controls = h("div", { class: "controls" }, play, time, switcher, languages, h("span", { class: "push" }), captions, speed, full);
  const element = h("section", { class: "player", "aria-label": strings.player.region }, screen, controls, note);

  switcher.addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    choose(sound.chosen() === "dub" ? "original" : "dub");
    (sound.chosen() === "dub" ? dub : original).focus();
  });
  sound.unavailable(() => {
    say(note, strings.player.noOriginal);
    original.disabled = true;
    choose("dub");
  });

  function newPicture() {
    const video = h("video", { playsinline: true, preload: "metadata", tabindex: "-1" });
    const tell = () => video === picture && show();
    ["timeupdate", "play", "pause", "seeked", "durationchange", "ratechange"].forEach((name) => video.addEventListener(name, tell));
    video.addEventListener("click", toggle);
    video.addEventListener("error", () => {
      if (video === picture && video.src) explain(strings.player.unplayable);
    });
    return video;
  }

  function explain(text) {
    blank.hidden = !text;
    say(blank, text);
  }

  /** Shows files: `{picture, original, captions, language, languages, dubbed, poster, silent}`; keeps time and state. */
  async function load(files) {
    dubbed = files.dubbed;
    fill(languages, ...files.languages.map((code) => {
      const option = h("option", {}, nameOf(code));
      option.value = code;
      return option;
    }));
    languages.value = files.language ?? "";
    languages.hidden = files.languages.length < 2;
    switcher.hidden = !dubbed;
    if (made?.picture === files.picture) return;
    const first = made === null;
    made = files;
    explain(files.silent ? strings.player.noPicture : "");
    const next = first ? picture : newPicture();
    if (files.poster) next.poster = files.poster;
    next.src = files.picture;
    addCaptions(next, files);
    if (!first) await takeOver(next);
    if (dubbed) sound.attach(files.original);
    choose(dubbed ? sound.chosen() : "dub");
    show();
  }

  /** The next picture gets ready behind the one that goes on playing, then takes its place at the same moment. */
  async function takeOver(next) {
    const at = () => picture.currentTime;
    await once(next, "loadedmetadata");
    next.currentTime = at();
    next.playbackRate = picture.playbackRate;
    next.muted = picture.muted;
    await once(next, "seeked");
    const playing = !picture.paused;
    if (playing) next.currentTime = at();
    const before = picture;
    picture = next;
    before.replaceWith(next);
    before.pause();
    before.removeAttribute("src");
    before.load();
    if (playing) await next.play().catch(() => {});
  }

  /** Fetched, and not named as the track's source: from an object store that would have to be the film's own. */
  async function addCaptions(video, { captions: src, language }) {
    if (!src) return;
    const answer = await fetch(src).catch(() => null);
    if (!answer?.ok) return;
    const url = URL.createObjectURL(new Blob([await answer.blob()], { type: "text/vtt" }));
    const track = h("track", { kind: "captions", src: url, srclang: language, label: nameOf(language) });
    track.addEventListener("load", () => URL.revokeObjectURL(url));
    video.append(track);
    track.track.mode = localStorage.getItem(CAPTIONS) ? "showing" : "hidden";
    show();
  }

  function toggleCaptions() {
    const on = !localStorage.getItem(CAPTIONS);
    if (on) localStorage.setItem(CAPTIONS, "1");
    else localStorage.removeItem(CAPTIONS);
    for (const track of picture.textTracks) track.mode = on ? "showing" : "hidden";
    show();
  }

  function choose(which) {
    sound.choose(dubbed ? which : "dub");
    for (const [one, name] of [[original, "original"], [dub, "dub"]]) {
      const on = sound.chosen() === name;
      one.setAttribute("aria-checked", String(on));
      one.tabIndex = on ? 0 : -1;
    }
  }

  function toggle() {
    if (picture.paused) picture.play().catch(() => {});
    else picture.pause();
  }

  function show() {
    const label = picture.paused ? strings.player.play : strings.player.pause;
    if (play.getAttribute("aria-label") !== label) {
      play.setAttribute("aria-label", label);
      play.title = label;
      fill(play, icon(picture.paused ? "play" : "pause"));
    }
    const length = Number.isFinite(picture.duration) ? picture.duration : 0;
    say(time, `${clock(picture.currentTime)} / ${clock(length)}`);
    time.setAttribute("aria-label", fillIn(strings.player.at, { at: clock(picture.currentTime), length: clock(length) }));
    captions.setAttribute("aria-pressed", String(Boolean(localStorage.getItem(CAPTIONS))));
    captions.hidden = !picture.textTracks.length;
    moved(picture.currentTime, !picture.paused);
  }

  return {
    element,
    load,
    toggle,
    toggleCaptions,
    toggleSound: () => choose(sound.chosen() === "dub" ? "original" : "dub"),
    play: () => picture.play().catch(() => {}),
    seek: (seconds) => (picture.currentTime = Math.max(0, Math.min(seconds, picture.duration || seconds))),
    time: () => picture.currentTime,
    playing: () => !picture.paused,
    leave: () => {
      sound.detach();
      picture.pause();
      picture.removeAttribute("src");
      picture.load();
    },
  };
}

function radio(label, chosen) {
  return h("button", { type: "button", role: "radio", "aria-checked": "false", onclick: chosen }, label);
}

const once = (target, name) =>
  new Promise((resolve) => {
    target.addEventListener(name, resolve, { once: true });
    target.addEventListener("error", resolve, { once: true });
  });
