// All photos of the page: chosen, waiting to be sent, and those of the service; and what can be done with them.
//
// A photo: key; name, size; file, where this browser has it; label; batch; image, as the service shows it;
// preview: a small picture of a file that the browser cannot show; unshown: it cannot;
// phase: chosen, waiting, sending, sent or refused; part: what has been sent, 0 to 1; problem: why it is refused.

import * as api from "./api.js";
import { refusalOf } from "./files.js";
import * as store from "./store.js";
import { t } from "./texts.js";

const AT_ONCE = 2; // uploads
const POLL_MS = 1000;
const LATER_MS = 3000;
const SELDOM_SHOWN = /\.(heic|heif|tiff?)$/i; // by browsers
const FINAL = ["succeeded", "failed", "canceled"];

export const photos = new Map(); // by key, in the order in which they were chosen
export const events = new EventTarget(); // "change", "problem", "key"

let older = null; // cursor
let order = Date.now();
const stops = new Map(); // key → AbortController of its upload

const changed = () => events.dispatchEvent(new Event("change"));
const complain = (error) => events.dispatchEvent(new CustomEvent("problem", { detail: error }));

export const ended = (photo) => photo.phase === "refused" || FINAL.includes(photo.image?.state);
export const hasOlder = () => older !== null;
export const groupOf = (photo) => photo.batch ?? photo.image?.batch ?? photo.key;
const isGone = (error) => ["not_found", "expired"].includes(error.problem?.code);
const byImage = (id) => [...photos.values()].find((photo) => photo.image?.id === id);

export async function choose(files, limits) {
  for (const file of files) {
    const twice = [...photos.values()].some(({ phase, file: other }) => phase === "chosen" && other?.name === file.name
      && other.size === file.size && other.lastModified === file.lastModified);
    const reason = twice ? t("twice") : await refusalOf(file, limits);
    const key = store.newKey();
    photos.set(key, {
      key, file, name: file.name || "photo.png", size: file.size, label: "", phase: "chosen", order: order++,
      unfit: reason,
    });
  }
  changed();
}

export const chosen = () => [...photos.values()].filter(({ phase }) => phase === "chosen");

export const fitting = () => chosen().filter(({ unfit }) => !unfit);

export function unchoose(keys) {
  for (const key of keys) photos.delete(key);
  changed();
}

// One batch for all chosen photos, then their uploads in the background.
export async function submit(name, options, label) {
  const fit = fitting();
  const { id } = await api.createBatch(name, options);
  for (const photo of chosen()) {
    if (photo.unfit) Object.assign(photo, { phase: "refused", batch: id, problem: { title: photo.unfit } });
  }
  for (const photo of fit) {
    Object.assign(photo, { phase: "waiting", batch: id, label: photo.label || label, startedAt: performance.now() });
  }
  changed();
  await Promise.all(fit.map(keep));
  send();
}

async function keep(photo) {
  const { key, file, name, label, batch, order: place, image, preview = null } = photo;
  photo.kept = await store.put({ key, file, name, label, batch, order: place, image: image?.id ?? null, preview });
}

// What this browser and the service have: after a reload, and in another tab.
export async function load() {
  await sync();
  await refresh();
  for (const photo of [...photos.values()]) { // deleted or expired meanwhile
    if (photo.phase === "sent" && !photo.image.state) await reload(photo);
    if (photo.phase === "sent" && photo.file) getPreview(photo);
  }
  changed();
  send();
}

// Takes over what other tabs have written.
async function sync() {
  const records = (await store.all()).sort((a, b) => a.order - b.order);
  const keys = new Set(records.map(({ key }) => key));
  for (const photo of [...photos.values()]) {
    if (photo.phase === "waiting" && photo.kept && !keys.has(photo.key)) photos.delete(photo.key);
  }
  for (const record of records) {
    const known = photos.get(record.key);
    const image = record.image ? { id: record.image } : null;
    if (!known) photos.set(record.key, { ...record, kept: true, size: record.file.size, image, phase: image ? "sent" : "waiting" });
    else if (known.phase === "waiting" && image) Object.assign(known, { image, phase: "sent" });
    if (known) known.preview ??= record.preview;
    if (image) photos.delete(record.image); // it was shown without its original
  }
}

async function reload(photo) {
  try {
    photo.image = await api.image(photo.image.id);
  } catch (error) {
    if (isGone(error)) await discard(photo);
  }
}

async function refresh(after = null) {
  const page = await api.images(after);
  for (const image of page.items) {
    const photo = byImage(image.id) ?? photos.get(image.reference); // the answer to its upload may be on its way, or lost
    if (photo) photo.image = image;
    if (photo?.phase === "waiting") photo.phase = "sent";
    if (!photo) photos.set(image.id, {
      key: image.id, file: null, name: image.source.filename ?? image.id, size: image.source.size, batch: image.batch, image, phase: "sent", order: 0,
    });
  }
  if (after !== null || older === null) older = page.next ?? null;
  return page;
}

export async function showOlder() {
  await refresh(older);
  changed();
}

// Uploads: one tab sends; another goes on when it has been closed.
let asked = false;

export function send() {
  if (asked || ![...photos.values()].some(({ phase }) => phase === "waiting")) return;
  asked = true;
  const act = async () => {
    await sync();
    await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
  };
  const done = navigator.locks ? navigator.locks.request("photoward-send", act) : act(); // no locks without https
  done.finally(() => {
    asked = false;
    changed();
    send();
  });
}

// The service has the original until the photo is protected: what it looks like is asked for at once, and kept.
async function getPreview(photo) {
  if (photo.preview || ended(photo) || !(photo.unshown || SELDOM_SHOWN.test(photo.name))) return;
  for (let tries = 0; tries < 5 && photos.has(photo.key); tries += 1) {
    try {
      photo.preview = await api.preview(photo.image.id);
      if (photos.has(photo.key)) await keep(photo);
      changed();
      return;
    } catch (error) {
      if (!error.passes) return; // without it the protected file is shown as soon as it is there
      await new Promise((resolve) => { setTimeout(resolve, 1000 * (error.retryAfter || 1)); });
    }
  }
}

async function sendNext() {
  for (;;) {
    const photo = [...photos.values()].find(({ phase }) => phase === "waiting");
    if (!photo) return;
    photo.phase = "sending";
    photo.part = 0;
    changed();
    await sendOne(photo);
  }
}

async function sendOne(photo) {
  const stop = new AbortController();
  stops.set(photo.key, stop);
  const fields = new FormData(); // options first: they are checked before the photo has been sent
  fields.append("batch", photo.batch);
  fields.append("reference", photo.key);
  if (photo.label) fields.append("label", photo.label);
  fields.append("file", photo.file, photo.name);
  const tell = (part) => { photo.part = part; changed(); };
  try {
    photo.image = await api.upload(fields, photo.key, tell, stop.signal);
    photo.phase = "sent";
    await keep(photo);
    getPreview(photo);
  } catch (error) {
    if (error.name === "AbortError") return;
    await wait(photo, error);
  } finally {
    stops.delete(photo.key);
    changed();
  }
}

async function wait(photo, error) {
  if (error.problem?.code === "unauthenticated") events.dispatchEvent(new Event("key"));
  else if (!(error instanceof api.Refusal)) error = new api.Refusal({ title: t("lost"), code: "lost" }); // the file has gone
  if (error.passes || error.problem.code === "unauthenticated") {
    photo.phase = "waiting";
    if (error.passes) complain(error);
    changed();
    await new Promise((resolve) => { setTimeout(resolve, Math.max(LATER_MS, 1000 * error.retryAfter)); });
    return;
  }
  Object.assign(photo, { phase: "refused", problem: error.problem });
  await store.drop(photo.key);
}

export async function cancel(photo) {
  stops.get(photo.key)?.abort();
  await forget(photo);
}

// Deletes a photo here and, if it is there, in the service.
export async function forget(photo) {
  if (photo.image) await api.remove(photo.image.id).catch(unlessGone);
  await discard(photo);
  changed();
}

async function discard({ key }) {
  photos.delete(key);
  await store.drop(key);
}

function unlessGone(error) {
  if (!isGone(error)) throw error;
}

// Whether another attempt may succeed: faults of the service, not of the file.
export function retriable({ phase, problem, image, file }) {
  const fault = phase === "refused" ? problem : image?.state === "failed" && image.error;
  return Boolean(fault) && (fault.status >= 500 || fault.status === 429) && (phase !== "refused" || Boolean(file));
}

export async function retry(some) {
  const again = some.filter(retriable);
  for (const photo of again.filter(({ phase }) => phase === "refused")) {
    Object.assign(photo, { phase: "waiting", problem: null });
    await keep(photo);
  }
  const batches = new Set(again.filter(({ phase }) => phase === "sent").map(({ image }) => image.batch).filter(Boolean));
  for (const id of batches) await api.retryBatch(id);
  await refresh();
  changed();
  send();
}

// The state of what is under way, again and again; pages until all of it has been seen.
export async function watch() {
  for (;;) {
    const open = [...photos.values()].filter((photo) => photo.phase === "sent" && !ended(photo));
    if (open.length && !document.hidden) await look(open).catch((error) => error.passes && complain(error));
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
    if (open.length) changed();
  }
}

async function look(open) {
  const unseen = new Set(open.map(({ image }) => image.id));
  let after = "";
  for (let page = 0; unseen.size && after !== null && page < 10; page += 1) {
    const { items, next } = await refresh(after || null);
    for (const { id } of items) unseen.delete(id);
    after = next ?? null;
  }
  for (const id of unseen) await reload(byImage(id)); // deleted elsewhere
}

store.onChange(() => load().catch(() => {}));
