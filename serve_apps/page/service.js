/** What the service offers: asked once, asked again after a failure. */

import { api } from "./api.js";
import { language as nameOf } from "./format.js";

const known = new Map();

function ask(name, get) {
  if (!known.has(name)) {
    const asked = get();
    known.set(name, asked);
    asked.catch(() => known.delete(name));
  }
  return known.get(name);
}

export const service = {
  /** @returns {Promise<{maxBytes: number, maxSeconds: number, extensions: string[]}>} */
  limits: () =>
    ask("limits", async () => {
      const told = await api.limits();
      return { maxBytes: told.max_source_bytes ?? 0, maxSeconds: told.max_source_seconds ?? 0 };
    }),

  /** Languages by name; `key` has all that a search may hit, folded to plain letters. */
  languages: () =>
    ask("languages", async () => {
      const told = await api.languages();
      return (told.items ?? told.languages ?? told)
        .map((one) => {
          const name = nameOf(one.code);
          const key = fold([name, one.name, one.native_name, one.code].join(" "));
          return { ...one, label: name === one.code ? one.name : name, key };
        })
        .sort((a, b) => a.label.localeCompare(b.label));
    }),
};

/** Letters without case and accents. */
export const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
