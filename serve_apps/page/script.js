/** The script: one row a line, followed while playing, searched, edited, spoken again. */

import { announce, button, fill, h, say } from "./dom.js";
import { counted } from "./format.js";
import { lineRow } from "./scriptline.js";
import { fold } from "./service.js";
import { strings } from "./strings.js";

/**
 * @param {{seek: (seconds: number) => void, play: (seconds: number) => void, save: (id: string, text: string|null) => Promise<boolean>,
 *   redub: () => Promise<void>}} does `save` with null goes back to what the machine said
 */
export function scriptPanel({ seek, play, save, redub }) {
  const rows = new Map();
  let lines = [];
  let current = null;
  let worstOnly = false;
  let editable = false;

  const count = h("span", { class: "soft small" });
  const search = h("input", { type: "search", placeholder: strings.script.search, "aria-label": strings.script.search, oninput: filter });
  const attention = h("button", { type: "button", class: "filter", "aria-pressed": "false", hidden: true, onclick: () => showWorst(!worstOnly) });
  const head = h("div", { class: "script-head" }, h("h2", {}, strings.script.heading), count, h("span", { class: "push" }), attention, search);
  const changedWords = h("span", {});
  const speakAll = button(strings.script.dubChanges, { sign: "speak", kind: "primary small", onclick: () => speak(speakAll) });
  const changes = h("div", { class: "changes", hidden: true }, changedWords, h("span", { class: "push" }), speakAll);
  const list = h("ol", { class: "lines" });
  const words = h("p", { class: "blank" });
  const bones = h("div", { class: "line-bones", "aria-hidden": "true" }, ...["long", "short", "long", "short"].map((kind) => h("span", { class: `bone ${kind}` })));
  const hint = h("p", { class: "soft small script-hint", hidden: true });
  const element = h("section", { class: "script", "aria-label": strings.script.region }, head, changes, hint, words, bones, list);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    search.value = "";
    filter();
    search.blur();
  });

  const does = {
    seek,
    play,
    edit: (id) => editable && rows.get(id)?.edit(),
    save: async (id, text) => {
      const saved = await save(id, text);
      if (saved) announce(strings.script.saved);
      return saved;
    },
    speak: async (id, control) => {
      await speak(control);
      announce(strings.script.spoken);
    },
  };

  async function speak(control) {
    control.disabled = true;
    try {
      await redub();
    } finally {
      control.disabled = false;
    }
  }

  function show(script, { locked, waiting }) {
    lines = script?.lines ?? [];
    editable = !locked;
    for (const [id, row] of rows) {
      if (lines.some((line) => line.id === id)) continue;
      row.element.remove();
      rows.delete(id);
    }
    for (const line of lines) {
      if (!rows.has(line.id)) {
        const row = lineRow(line, does);
        rows.set(line.id, row);
        list.append(row.element);
      }
      rows.get(line.id).update(line, editable);
    }
    hint.hidden = !lines.length || !locked;
    say(hint, locked ? strings.script.locked : "");
    const changed = lines.filter((line) => line.changed).length;
    changes.hidden = !changed;
    speakAll.hidden = !editable;
    say(changedWords, counted(strings.script.changed, changed));
    say(count, lines.length ? counted(strings.script.lines, lines.length) : "");
    const worst = lines.filter(({ worry }) => worry > 0).length;
    attention.hidden = !worst;
    say(attention, worstOnly ? strings.script.showAll : counted(strings.script.attention, worst));
    head.classList.toggle("bare-head", !lines.length);
    search.hidden = !lines.length;
    const coming = Boolean(waiting && !lines.length && locked);
    bones.hidden = !coming;
    element.setAttribute("aria-busy", String(coming));
    filter(waiting);
  }

  function filter(waiting = "") {
    const wanted = fold(search.value.trim());
    let found = 0;
    for (const line of lines) {
      const shown = (!worstOnly || line.worry > 0) && (!wanted || fold(`${line.source} ${line.target}`).includes(wanted));
      rows.get(line.id).element.hidden = !shown;
      found += shown;
    }
    const asked = typeof waiting === "string" ? waiting : "";
    const text = lines.length ? (found ? "" : strings.script.none) : asked;
    words.hidden = !text;
    say(words, text);
    if (wanted && typeof waiting !== "string") announce(counted(strings.script.found, found));
  }

  function showWorst(on) {
    worstOnly = on;
    attention.setAttribute("aria-pressed", String(on));
    say(attention, on ? strings.script.showAll : counted(strings.script.attention, lines.filter(({ worry }) => worry > 0).length));
    filter();
    const first = lines.find(({ worry }) => worry > 0);
    if (on && first) mark(first.id, true);
  }

  function mark(id, scroll) {
    if (current !== id) {
      rows.get(current)?.current(false);
      rows.get(id)?.current(true);
      current = id;
    }
    if (scroll && id && !element.querySelector("textarea")) rows.get(id)?.element.scrollIntoView({ block: "nearest" });
  }

  /** The line that sounds at a time, or the last one before it. */
  function at(seconds) {
    let found = null;
    for (const line of lines) {
      if (line.start > seconds + 0.05) break;
      found = line;
    }
    return found?.id ?? null;
  }

  return {
    element,
    show,
    showWorst: () => showWorst(true),
    current: () => lines.find(({ id }) => id === current) ?? null,
    follow(seconds, playing) {
      const id = at(seconds);
      if (id !== current) mark(id, playing);
      return id;
    },
    step(by) {
      const shown = lines.filter(({ id }) => !rows.get(id).element.hidden);
      if (!shown.length) return;
      const at = shown.findIndex(({ id }) => id === current);
      const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
      seek(next.start);
      mark(next.id, true);
    },
    edit: () => does.edit(current),
    speak() {
      const line = lines.find(({ id }) => id === current);
      if (line?.changed && editable) rows.get(current).speak();
    },
    search: () => search.focus(),
  };
}
