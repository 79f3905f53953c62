/** Makes elements. Text only ever goes in as text nodes, so nothing that a user wrote can become markup. */

/**
 * @param {string} tag
 * @param {Object<string, unknown>} [props] `class`, `dataset`, `on...` listeners, attributes; false, null leave one out
 * @param {...(Node|string|number|null|undefined|false)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Writes a text only where it differs: screen readers stay quiet about what did not change. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  play: "M5 3.5v9l7.5-4.5z",
  pause: "M4.5 3.5h2.5v9h-2.5zM9 3.5h2.5v9H9z",
  back: "M10 3 5 8l5 5",
  close: "m4 4 8 8m0-8-8 8",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  down: "M8 2.5v8m-3.5-3.5L8 10.5 11.5 7M3 13.5h10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  check: "m3.5 8.5 3 3 6-7",
  alert: "M8 2.5 14 13H2zM8 6.5v3m0 1.8v.1",
  speak: "M3 6.5v3h2.5L9 12.5v-9L5.5 6.5zM11 6c1 1.2 1 2.8 0 4m1.8-6c2 2.4 2 5.6 0 8",
  undo: "M5.5 3 2.5 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6",
  caption: "M2.5 4h11v8h-11zM5 9.5h3m1.5 0H11M5 7h1.5m1.5 0h3",
  full: "M6 2.5H2.5V6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  film: "M2.5 3.5h11v9h-11zM5.5 3.5v9m5-9v9",
};

/** A drawn sign of 16 px; it says nothing to screen readers, what holds it does. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", "aria-hidden": "true", class: `icon ${name}` })) {
    svg.setAttribute(key, value);
  }
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with a sign and words; `bare` shows the sign alone and keeps the words for screen readers. */
export function button(label, { sign, bare = false, kind = "", ...props } = {}) {
  const words = bare ? { "aria-label": label, title: label } : {};
  const shown = [sign && icon(sign), !bare && h("span", {}, label)];
  return h("button", { type: "button", class: `button ${kind} ${bare ? "bare" : ""}`, ...words, ...props }, ...shown);
}

let spoken;

/** Tells screen readers what happened, once and politely. */
export function announce(text) {
  spoken ??= document.getElementById("announcements");
  spoken.textContent = "";
  requestAnimationFrame(() => (spoken.textContent = text));
}
