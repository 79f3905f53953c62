/** The key: entered once, kept by the browser as a cookie that scripts cannot read. */

import { api } from "./api.js";
import { button, h, say } from "./dom.js";
import { strings } from "./strings.js";

const SIGNED_IN = "dubflow.signed-in";
let asking = null;

/** Asks for a key, once however many requests were refused; true when it was accepted. */
export function askForKey() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const known = localStorage.getItem(SIGNED_IN) !== null;
  const field = h("input", {
    id: "key",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
    "aria-describedby": "key-wrong",
  });
  const wrong = h("p", { id: "key-wrong", class: "wrong", role: "alert" });
  const enter = h("button", { class: "button primary", type: "submit" }, strings.session.enter);
  const form = h(
    "form",
    { class: "stack" },
    h("h2", { id: "key-title" }, strings.session.title),
    h("p", { class: "soft" }, known ? strings.session.expired : strings.session.text),
    h("label", { for: "key" }, strings.session.label),
    field,
    wrong,
    h("div", { class: "end" }, enter),
  );
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "key-title" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // nothing works without a key
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      enter.disabled = true;
      say(wrong, "");
      try {
        await api.signIn(field.value.trim());
      } catch (problem) {
        say(wrong, problem.status === 401 ? strings.session.wrong : problem.words);
        enter.disabled = false;
        field.select();
        return;
      }
      localStorage.setItem(SIGNED_IN, "1");
      dialog.close();
      dialog.remove();
      window.dispatchEvent(new Event("dubflow:unlocked"));
      resolve(true);
    });
  });
}

/** Signs out; only there for somebody who signed in. */
export function sessionButton() {
  const leave = button(strings.session.out, {
    kind: "quiet",
    onclick: async () => {
      await api.signOut();
      localStorage.removeItem(SIGNED_IN);
      location.assign("/");
    },
  });
  const show = () => (leave.hidden = localStorage.getItem(SIGNED_IN) === null);
  window.addEventListener("dubflow:unlocked", show);
  show();
  return leave;
}
