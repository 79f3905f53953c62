/** The uploads on their way, above the jobs that they become. */

import { announce, button, fill, h, say } from "./dom.js";
import { bytes, fillIn, percent } from "./format.js";
import { strings } from "./strings.js";
import { problemCode } from "./notices.js";
import { discard, pause, resume, uploads, watchUploads } from "./uploads.js";

const GOING = new Set(["waiting", "running", "lost"]);

/** A section that is there only while there is something in it. */
export function uploadList() {
  const rows = new Map();
  const list = h("ul", { class: "rows" });
  const element = h("section", { class: "uploads", "aria-label": strings.upload.heading }, list);
  const draw = () => {
    element.hidden = !uploads.length;
    for (const [upload, row] of rows) {
      if (!uploads.includes(upload)) {
        row.element.remove();
        rows.delete(upload);
      }
    }
    for (const upload of uploads) {
      if (!rows.has(upload)) {
        rows.set(upload, uploadRow(upload));
        list.append(rows.get(upload).element);
      }
      rows.get(upload).update();
    }
  };
  const unwatch = watchUploads(() => (element.isConnected ? draw() : unwatch()));
  queueMicrotask(draw);
  element.hidden = true;
  return element;
}

function uploadRow(upload) {
  const name = h("strong", { class: "row-name", dir: "auto" }, upload.name);
  const words = h("span", { class: "soft small" });
  const bar = h("progress", { max: "1", "aria-label": fillIn(strings.upload.progress, { name: upload.name }) });
  const code = h("div", {});
  const actions = h("div", { class: "row-action" });
  const element = h("li", { class: "row upload" }, h("div", { class: "row-what" }, name, words, bar, code), actions);
  let drawn = "";

  function update() {
    say(words, wordsFor(upload));
    bar.value = upload.share;
    element.dataset.state = upload.state;
    if (drawn === upload.state) return;
    if (drawn) announce(`${upload.name}: ${wordsFor(upload)}`);
    drawn = upload.state;
    fill(code, upload.state === "failed" && problemCode(upload.problem));
    fill(actions, ...actionsFor());
  }

  function actionsFor() {
    const forget = button(strings.upload.remove, { sign: "close", bare: true, kind: "quiet", onclick: () => discard(upload) });
    if (GOING.has(upload.state)) return [button(strings.upload.pause, { kind: "small", onclick: () => pause(upload) }), forget];
    if (upload.state === "paused" || upload.state === "failed") {
      return [button(strings.upload.resume, { kind: "small primary", onclick: () => resume(upload) }), forget];
    }
    return upload.state === "interrupted" ? [chooser(), forget] : [];
  }

  function chooser() {
    const input = h("input", { type: "file", class: "unseen", tabindex: "-1", "aria-hidden": "true" });
    input.addEventListener("change", () => {
      if (input.files[0] && !resume(upload, input.files[0])) {
        const other = fillIn(strings.upload.other, { name: upload.name, size: bytes(upload.size) });
        fill(code, h("p", { class: "wrong", role: "alert" }, other));
      }
      input.value = "";
    });
    return h("span", {}, button(strings.upload.choose, { kind: "small primary", onclick: () => input.click() }), input);
  }

  return { element, update };
}

function wordsFor(upload) {
  const values = { share: percent(upload.share), done: bytes(upload.offset), size: bytes(upload.size) };
  if (upload.state === "failed") return upload.problem.words;
  return fillIn(strings.upload[upload.state], values);
}
