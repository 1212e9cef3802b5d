// Finds the files in what was dropped or chosen, folders included, and tells before sending what cannot be a photo.

import { bytes, t } from "./texts.js";

const HIDDEN = /^(\.|@eaDir$|Thumbs\.db$|desktop\.ini$)/;
const VIDEOS = /\.(mp4|mov|m4v|avi|mkv|webm|mts|3gp)$/i;
const VIDEO_BRANDS = ["isom", "mp41", "mp42", "qt  ", "M4V ", "avc1"];

export async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry) {
  if (HIDDEN.test(entry.name)) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives at most a hundred at once
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(found.map(walk))).flat();
    found.push(...some);
  }
}

export const visible = (files) => [...files].filter((file) => !HIDDEN.test(file.name));

// Why a file cannot be protected, in words for people; null: it may be.
export async function refusalOf(file, limits) {
  if (!file.size) return t("isEmpty");
  if (limits && file.size > limits.max_body_bytes) {
    return t("tooLarge", { size: bytes(file.size), limit: bytes(limits.max_body_bytes) });
  }
  if (file.type.startsWith("video/") || VIDEOS.test(file.name)) return t("isVideo");
  const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  if (VIDEO_BRANDS.includes(latin(head.slice(8, 12))) && latin(head.slice(4, 8)) === "ftyp") return t("isVideo");
  return isPhoto(head) ? null : t("notPhoto");
}

function isPhoto(head) {
  const text = latin(head);
  return text.startsWith("\xff\xd8\xff") || text.startsWith("\x89PNG") || text.startsWith("GIF8")
    || text.startsWith("II*\0") || text.startsWith("MM\0*") || text.startsWith("II+\0") || text.startsWith("MM\0+")
    || (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") || text.slice(4, 8) === "ftyp";
}

const latin = (some) => String.fromCharCode(...some);
