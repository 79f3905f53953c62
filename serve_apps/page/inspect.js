/** Looks at a file before it is uploaded: what the browser can tell without sending a byte. */

import { bytes, duration, fillIn } from "./format.js";
import { strings } from "./strings.js";

const READABLE = /\.(mp4|m4v|mov|mkv|webm|avi|mp3|m4a|aac|wav|flac|ogg|oga|opus)$/i;
const PATIENCE_MS = 4000;

/**
 * @param {File} file
 * @returns {Promise<{problem: string|null, seconds: number|null}>} what speaks against uploading it, and its length
 *   where this browser can read it
 */
export async function inspect(file, { maxBytes, maxSeconds }) {
  const values = { name: file.name, size: bytes(file.size) };
  const refuse = (text, more = {}) => ({ problem: fillIn(text, { ...values, ...more }), seconds: null });
  if (!file.size) return refuse(strings.create.empty);
  if (!READABLE.test(file.name) && !/^(video|audio)\//.test(file.type)) return refuse(strings.create.unsupported);
  if (maxBytes && file.size > maxBytes) return refuse(strings.create.tooLarge, { limit: bytes(maxBytes) });
  const seconds = await lengthOf(file);
  if (maxSeconds && seconds > maxSeconds) {
    return refuse(strings.create.tooLong, { length: duration(seconds), limit: duration(maxSeconds) });
  }
  return { problem: null, seconds };
}

function lengthOf(file) {
  const url = URL.createObjectURL(file);
  const media = document.createElement("video");
  media.preload = "metadata";
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), PATIENCE_MS);
    media.onloadedmetadata = () => resolve(Number.isFinite(media.duration) ? media.duration : null);
    media.onerror = () => resolve(null);
    media.src = url;
    media.done = timer;
  }).finally(() => {
    clearTimeout(media.done);
    media.removeAttribute("src");
    URL.revokeObjectURL(url);
  });
}
