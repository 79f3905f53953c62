/** Keyboard shortcuts: never while somebody types, never instead of the browser's own. */

import { button, h } from "./dom.js";
import { strings } from "./strings.js";

const TYPING = "input, textarea, select, [contenteditable]";
const ACTS_ITSELF = "button, a, summary, [role=button], [role=radio], [role=option], [role=tab]";

/**
 * Listens until the returned function is called.
 *
 * @param {Object<string, (event: KeyboardEvent) => void>} actions by `event.key`
 */
export function listenToKeys(actions) {
  const listener = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
    if (event.key === " " && event.target.closest?.(ACTS_ITSELF)) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  };
  document.addEventListener("keydown", listener);
  return () => document.removeEventListener("keydown", listener);
}

function showShortcuts() {
  const rows = strings.keys.list.map(([key, does]) => [h("dt", {}, ...key.split(" ").map((k) => h("kbd", {}, k))), h("dd", {}, does)]);
  const close = button(strings.keys.close, { sign: "close", bare: true, onclick: () => dialog.close() });
  const head = h("div", { class: "dialog-head" }, h("h2", { id: "keys-title" }, strings.keys.title), close);
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "keys-title" }, head, h("dl", { class: "keys" }, ...rows.flat()));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

/** Opens the list of shortcuts, as `?` does. */
export function shortcutsButton() {
  listenToKeys({ "?": showShortcuts });
  return h("button", { type: "button", class: "button quiet bare", "aria-label": strings.keys.open, title: strings.keys.open, onclick: showShortcuts }, h("kbd", {}, "?"));
}
