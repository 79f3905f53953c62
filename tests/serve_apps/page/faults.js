/* What an audit of a page's accessibility finds first; an empty list is what is wanted. */
() => {
  const faults = [];
  const shown = (one) => one.checkVisibility({ opacityProperty: false });
  const named = (one) =>
    (one.getAttribute("aria-label") || one.textContent || "").trim() ||
    [...(one.labels ?? [])].some((label) => label.textContent.trim()) ||
    (one.getAttribute("aria-labelledby") || "").split(" ").some((id) => document.getElementById(id)?.textContent.trim());
  const say = (what, one) => faults.push(`${what}: ${one.outerHTML.slice(0, 120)}`);
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  const controls = "button, a[href], input:not([aria-hidden]), select, textarea, [role=slider], [role=menuitem], progress";
  for (const one of all(controls)) {
    if (!named(one)) say("no name", one);
  }
  for (const one of all("img:not([alt])")) say("no alternative", one);
  const groups = "section:not(.banner, .welcome), dialog, [role=radiogroup], [role=listbox], [role=group], [role=menu]";
  for (const one of all(groups)) {
    const labelled = one.hasAttribute("aria-label") || one.hasAttribute("aria-labelledby");
    if (!labelled || !named(one)) say("group without a name", one);
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push(`id twice: ${id}`);
  for (const one of document.querySelectorAll("[aria-controls], [aria-describedby], [aria-labelledby]")) {
    for (const name of ["aria-controls", "aria-describedby", "aria-labelledby"]) {
      for (const id of (one.getAttribute(name) ?? "").split(" ").filter(Boolean)) {
        if (!document.getElementById(id)) say(`${name} of nothing`, one);
      }
    }
  }
  const open = document.querySelector("dialog[open]");
  if (all("h1").length !== 1 && !open) faults.push(`${all("h1").length} first headings`);
  if (all("main").length !== 1) faults.push("no main");
  if (!document.documentElement.lang) faults.push("no language");
  for (const one of all("button, a.button, select, input:not([type=checkbox], .unseen), [role=option]")) {
    const { width, height } = one.getBoundingClientRect();
    if (Math.min(width, height) < 24) say(`only ${width} x ${height} pixels`, one);
  }
  return faults;
}
