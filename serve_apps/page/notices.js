/** What went wrong, above everything, until it is over or was read. */

import { call, on } from "./api.js";
import { announce, button, h, icon, say } from "./dom.js";
import { fillIn, inSeconds } from "./format.js";
import { strings } from "./strings.js";

const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 20;
const region = document.getElementById("notices");

/** Shows a problem; what has a notice of its own (no answer, no key) is left to that. */
export function showProblem(problem) {
  if (problem.away || problem.status === 401) return true;
  const shown = notice("bad", problemText(problem), problemCode(problem));
  region.append(shown);
  while (region.querySelectorAll(".notice.bad").length > 3) region.querySelector(".notice.bad").remove();
  return true;
}

/** What happened in plain words, with what the service itself said where that tells more. */
export function problemText(problem) {
  const told = problem.detail && problem.detail !== problem.words ? problem.detail : "";
  return h("div", {}, h("strong", {}, problem.words), told && h("p", { class: "told" }, told));
}

/** What to quote: the code, and the request where there is one. */
export function problemCode({ code, request_id: request }) {
  const parts = [h("span", {}, `${strings.errors.code} `), h("code", {}, code)];
  if (request) parts.push(h("span", {}, ` · ${strings.errors.request} `), h("code", {}, request));
  return h("p", { class: "quote" }, ...parts);
}

function notice(kind, ...content) {
  const dismiss = button(strings.errors.dismiss, { sign: "close", bare: true, onclick: () => shown.remove() });
  const shown = h("div", { class: `notice ${kind}`, role: "alert" }, icon("alert"), h("div", {}, ...content), dismiss);
  return shown;
}

/** Keeps trying while nobody answers, and says so. */
export function watchService() {
  let banner = null;
  let pause = FIRST_PAUSE;
  let timer = 0;

  const knock = () => {
    clearTimeout(timer);
    call("/limits", { quiet: true }).catch(() => {});
  };
  on("away", () => {
    if (!banner) {
      const when = h("span", {});
      const again = button(strings.away.now, { kind: "small", onclick: knock });
      banner = h("div", { class: "notice warn", role: "status" }, icon("alert"), when, again);
      banner.when = when;
      region.prepend(banner);
    }
    const text = fillIn(strings.away.text, { when: inSeconds(pause) });
    say(banner.when, text);
    clearTimeout(timer);
    timer = setTimeout(knock, pause * 1000);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  });
  on("here", () => {
    pause = FIRST_PAUSE;
    clearTimeout(timer);
    if (!banner) return;
    banner.remove();
    banner = null;
    announce(strings.away.back);
    window.dispatchEvent(new Event("dubflow:back"));
  });
  window.addEventListener("online", () => banner && knock());
}

