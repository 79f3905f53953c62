/** Several languages out of many, found by typing any of their names: a combobox with a listbox that takes several. */

import { announce, button, fill, h, icon } from "./dom.js";
import { counted, fillIn } from "./format.js";
import { fold } from "./service.js";
import { strings } from "./strings.js";

let pickers = 0;

/** @param {{languages: object[], chosen: string[], changed: () => void}} given */
export function languagePicker({ languages, chosen, changed }) {
  const id = `languages-${++pickers}`;
  const picked = new Set(chosen.filter((code) => languages.some((one) => one.code === code)));
  let active = -1;
  let found = languages;

  const input = h("input", {
    id,
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    "aria-expanded": "true",
    "aria-controls": `${id}-list`,
    "aria-autocomplete": "list",
    placeholder: strings.create.search,
  });
  const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-multiselectable": "true", "aria-label": strings.create.target, class: "options" });
  const tags = h("ul", { class: "chips", "aria-label": strings.create.chosen });
  const element = h("div", { class: "field" }, h("label", { for: id }, strings.create.target), tags, h("div", { class: "picker" }, input, list));

  const optionId = (i) => `${id}-${i}`;

  function toggle(language) {
    if (picked.has(language.code)) picked.delete(language.code);
    else picked.add(language.code);
    announce(`${language.label}: ${picked.has(language.code) ? "✓" : "–"}`);
    draw();
    changed();
  }

  function draw() {
    const words = fold(input.value.trim());
    found = languages.filter(({ key }) => words.split(/\s+/).every((word) => key.includes(word)));
    active = Math.min(active, found.length - 1);
    fill(list, ...found.map(option), !found.length && h("li", { class: "soft nothing", role: "presentation" }, strings.create.nothing));
    mark();
    fill(tags, ...[...picked].map(tag));
    tags.hidden = !picked.size;
  }

  function option(language, i) {
    const native = language.native_name !== language.label && h("span", { class: "soft", lang: language.code, dir: "auto" }, language.native_name);
    const offers = language.voice_cloning ? strings.create.cloning : strings.create.draft;
    return h(
      "li",
      { id: optionId(i), role: "option", class: "option", "aria-selected": String(picked.has(language.code)), onclick: () => toggle(language), onmousedown: (event) => event.preventDefault() },
      h("span", { class: "tick" }, icon("check")),
      h("span", {}, language.label, " ", native),
      h("span", { class: "soft small offers" }, offers),
    );
  }

  function tag(code) {
    const language = languages.find((one) => one.code === code);
    const label = fillIn(strings.create.drop, { language: language.label });
    const remove = button(label, { sign: "close", bare: true, kind: "tiny", onclick: () => (toggle(language), input.focus()) });
    return h("li", { class: "chip tag" }, language.label, remove);
  }

  function mark() {
    [...list.querySelectorAll("[role=option]")].forEach((one, i) => one.classList.toggle("active", i === active));
    if (active < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", optionId(active));
    return list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  const move = (by) => {
    if (!found.length) return;
    active = (active + by + found.length) % found.length;
    mark();
  };
  input.addEventListener("input", () => {
    active = input.value ? 0 : -1;
    draw();
    announce(counted(strings.create.found, found.length));
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(active < 0 ? 0 : -1);
    else if (event.key === "Enter" && found[active]) {
      toggle(found[active]);
      input.select();
    } else if (event.key === "Escape" && input.value) {
      input.value = "";
      draw();
    } else if (event.key === "Backspace" && !input.value && picked.size) {
      toggle(languages.find(({ code }) => code === [...picked].at(-1)));
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  draw();

  return {
    element,
    chosen: () => [...picked],
    focus: () => input.focus(),
    focusIfEmpty: () => !picked.size && input.focus(),
  };
}
