/** Which place is shown, by the address; and what all places share: notices, keys, the session. */

import { on } from "./api.js";
import { fill, h, announce } from "./dom.js";
import { showProblem, watchService } from "./notices.js";
import { askForKey, sessionButton } from "./session.js";
import { shortcutsButton } from "./keys.js";
import { strings } from "./strings.js";

const PLACES = [
  [/^\/$/, () => import("./library.js"), "library"],
  [/^\/jobs\/([^/]+)\/?$/, () => import("./job.js"), "job"],
];

const main = document.getElementById("main");
let leave = () => {};
let turn = 0;

/** Goes to one of the page's own addresses. */
export function go(path) {
  if (path !== location.pathname) history.pushState(null, "", path);
  return show();
}

async function show() {
  const mine = ++turn;
  leave();
  leave = () => {};
  window.scrollTo(0, 0);
  for (const [pattern, load, name] of PLACES) {
    const found = pattern.exec(location.pathname);
    if (!found) continue;
    document.body.dataset.place = name;
    let place;
    try {
      place = await load();
    } catch {
      return location.reload(); // the service was updated; this page is of the version before
    }
    if (mine !== turn) return undefined;
    fill(main);
    leave = place.enter(main, { id: found[1] && decodeURIComponent(found[1]), go, showProblem });
    return undefined;
  }
  document.body.dataset.place = "none";
  return fill(main, h("p", { class: "blank" }, strings.job.notFound));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-route]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || event.defaultPrevented) return;
  event.preventDefault();
  go(new URL(link.href).pathname).then(() => main.focus({ preventScroll: true }));
});
window.addEventListener("popstate", show);
window.addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name === "AbortError") event.preventDefault();
  else if (event.reason?.words && showProblem(event.reason)) event.preventDefault();
});

fill(document.getElementById("top-actions"), sessionButton(), shortcutsButton());
watchService();
on("locked", () => askForKey().then((entered) => entered && announce(strings.away.back)));
show();
