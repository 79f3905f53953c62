/** A button that opens a menu: arrows move, Escape closes, focus returns to the button. */

import { button, fill, h } from "./dom.js";

let menus = 0;

export function menu(label, props) {
  const id = `menu-${++menus}`;
  let items = () => [];
  const opener = button(label, { ...props, "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": id, onclick: () => (list.hidden ? open() : close()) });
  const list = h("div", { id, class: "menu", role: "menu", "aria-label": label, hidden: true });
  const element = h("div", { class: "menu-frame" }, opener, list);
  const choices = () => [...list.querySelectorAll("[role=menuitem]")];

  function open() {
    fill(list, ...items().map(([text, does, kind]) => entry(text, does, kind)));
    list.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    choices()[0]?.focus();
    document.addEventListener("pointerdown", outside);
  }

  function close(back = true) {
    list.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside);
    if (back) opener.focus();
  }

  function entry(text, does, kind = "") {
    if (!does) return h("div", { class: "menu-group", role: "presentation" }, text);
    if (typeof does === "string") return h("a", { role: "menuitem", tabindex: "-1", href: does, download: true, onclick: () => close() }, text);
    return h("button", { type: "button", role: "menuitem", tabindex: "-1", class: kind, onclick: () => (close(), does()) }, text);
  }

  const outside = (event) => !element.contains(event.target) && close(false);
  element.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const all = choices();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") close();
    else if (event.key === "Tab") return close(false);
    else if (to !== undefined) all[to % all.length]?.focus();
    else return undefined;
    event.preventDefault();
    event.stopPropagation();
    return undefined;
  });
  return { element, show: (make) => (items = make) };
}
