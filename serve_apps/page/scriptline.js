/** One line of the script: who, when, what was said and what is said instead. */

import { button, fill, h, icon, say } from "./dom.js";
import { clock, fillIn } from "./format.js";
import { strings } from "./strings.js";

/** @param {{seek, play, edit, save, speak}} does what a row asks the panel for */
export function lineRow(first, does) {
  let line = first;
  let editable = false;
  let drawn = "";
  const id = `line-${first.id}`;

  const time = h("button", { type: "button", class: "line-time", onclick: () => does.play(line.start) });
  const speaker = h("span", { class: "speaker" });
  const source = h("p", { class: "line-source soft", dir: "auto" });
  const target = h("p", { class: "line-target", dir: "auto" });
  const flags = h("ul", { class: "flags" });
  const edit = button(strings.script.edit, { kind: "quiet small line-edit", onclick: open });
  const speak = button(strings.script.speak, { sign: "speak", kind: "quiet small", onclick: () => does.speak(line.id, speak) });
  const undo = button(strings.script.undo, { sign: "undo", kind: "quiet small", onclick: () => does.save(line.id, null) });
  const status = h("span", { class: "soft small line-status" });
  const actions = h("div", {}, h("div", { class: "line-notes" }, status, flags), h("div", { class: "line-buttons" }, speak, undo, edit));
  const cell = h("div", { class: "line-cell" }, target, actions);
  const element = h("li", { id, class: "line" }, h("div", { class: "line-who" }, time, speaker), source, cell);
  element.addEventListener("click", (event) => {
    if (event.target === target && editable && !getSelection().toString()) open();
    else if (!event.target.closest("button, textarea, a") && !getSelection().toString()) does.seek(line.start);
  });

  function update(now, allowed) {
    const state = JSON.stringify([now, allowed]);
    if (state === drawn) return; // a long film has thousands of lines
    drawn = state;
    line = now;
    editable = allowed;
    const at = clock(line.start, true);
    say(time, at);
    time.setAttribute("aria-label", fillIn(strings.script.playFrom, { time: at }));
    fill(speaker, h("span", { class: `dot tone-${line.tone}`, "aria-hidden": "true" }), h("span", {}, line.speakerName));
    say(source, line.source);
    say(target, line.target);
    target.classList.toggle("editable", editable);
    element.classList.toggle("changed", line.changed);
    fill(flags, ...line.flags.filter((flag) => strings.flags[flag]).map((flag) => h("li", { class: "flag", dataset: { flag } }, icon("alert"), strings.flags[flag])));
    say(status, line.changed ? (editable ? strings.script.edited : strings.script.speaking) : "");
    edit.hidden = !editable;
    speak.hidden = undo.hidden = !(line.changed && editable);
    for (const one of [edit, speak, undo]) one.setAttribute("aria-describedby", id);
  }

  function open() {
    if (!editable || cell.querySelector("textarea")) return;
    const field = h("textarea", { dir: "auto", rows: "2", lang: line.language, "aria-label": fillIn(strings.script.editing, { time: clock(line.start, true) }) });
    field.value = line.target;
    const budget = h("span", { class: "small soft budget", role: "status" });
    const save = button(strings.script.save, { kind: "primary small", onclick: keep });
    const discard = button(strings.script.discard, { kind: "quiet small", onclick: close });
    const hint = h("span", { class: "unseen" }, strings.script.hint);
    const editor = h("div", { class: "editor" }, field, h("div", { class: "editor-foot" }, budget, hint, h("span", { class: "push" }), discard, save));

    function measure() {
      const n = field.value.length;
      const over = line.budget !== null && n > line.budget;
      const words = line.budget === null ? strings.script.length : over ? strings.script.over : strings.script.budget;
      say(budget, fillIn(words, { n, budget: line.budget }));
      budget.classList.toggle("over", over);
      field.style.blockSize = "auto";
      field.style.blockSize = `${field.scrollHeight + 2}px`;
    }
    async function keep() {
      const text = field.value.trim().replace(/\s+/g, " ");
      if (!text) return say(budget, strings.script.empty);
      if (text === line.target) return close();
      save.disabled = true;
      const saved = await does.save(line.id, text);
      save.disabled = false;
      return saved && close();
    }
    function close() {
      editor.replaceWith(target);
      actions.hidden = false;
      edit.focus();
    }
    field.addEventListener("input", measure);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        keep();
      } else if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        close();
      }
    });
    target.replaceWith(editor);
    actions.hidden = true;
    measure();
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  return {
    element,
    update,
    edit: open,
    speak: () => speak.click(),
    current(on) {
      element.classList.toggle("current", on);
      if (on) element.setAttribute("aria-current", "true");
      else element.removeAttribute("aria-current");
    },
  };
}
