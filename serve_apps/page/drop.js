/** Takes files: dropped anywhere on the page, chosen, or pasted. */

import { button, fill, h, icon } from "./dom.js";
import { bytes, fillIn } from "./format.js";
import { strings } from "./strings.js";
import { service } from "./service.js";

/** @param {(files: File[]) => void} take */
export function dropArea(take) {
  const input = h("input", { type: "file", multiple: true, class: "unseen", tabindex: "-1", "aria-hidden": "true", accept: "video/*,audio/*,.mkv,.avi,.mov" });
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  const choose = button(strings.drop.choose, { kind: "primary", onclick: () => input.click() });
  const hint = h("p", { class: "soft hint" }, fillIn(strings.drop.hintPlain, { formats: strings.drop.formats }));
  const element = h(
    "section",
    { class: "drop", "aria-label": strings.drop.title },
    h("div", { class: "drop-words" }, h("p", { class: "drop-title" }, icon("film"), strings.drop.title), hint),
    choose,
    input,
  );
  service.limits().then((limits) => {
    const size = bytes(limits.maxBytes);
    if (limits.maxBytes) fill(hint, fillIn(strings.drop.hint, { formats: strings.drop.formats, size }));
  }, () => {});
  return { element, grow: (large) => element.classList.toggle("large", large), leave: listen(element, take) };
}

function listen(element, take) {
  let depth = 0;
  const over = (on) => element.classList.toggle("over", on);
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const free = () => !document.querySelector("dialog[open]");
  const handlers = {
    dragenter: (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth += 1;
      over(free());
    },
    dragover: (event) => carriesFiles(event) && event.preventDefault(),
    dragleave: (event) => {
      if (!carriesFiles(event)) return;
      depth = Math.max(0, depth - 1);
      over(depth > 0 && free());
    },
    drop: (event) => {
      depth = 0;
      over(false);
      if (!carriesFiles(event)) return;
      event.preventDefault();
      if (free()) take([...event.dataTransfer.files]);
    },
    paste: (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length || !free()) return;
      event.preventDefault();
      take(files);
    },
  };
  Object.entries(handlers).forEach(([name, handler]) => document.addEventListener(name, handler));
  return () => Object.entries(handlers).forEach(([name, handler]) => document.removeEventListener(name, handler));
}
