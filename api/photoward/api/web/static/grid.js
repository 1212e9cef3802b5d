// Draws the photos: those chosen, and those of each batch with its own buttons. Keeps its nodes from one time to the next.

import * as api from "./api.js";
import * as model from "./photos.js";
import { bytes, duration, moment, t } from "./texts.js";

const $ = (id) => document.getElementById(id);
const cards = new Map(); // photo's key → its nodes
const groups = new Map(); // batch → its nodes
const thumbnails = new Map(); // photo's key → object URL

let act = async (work) => work(); // how a button's work is run; told by app.js

export function drawAll(run) {
  act = run;
  drawChosen();
  drawGroups();
}

function drawChosen() {
  const some = model.chosen();
  $("tray").hidden = !some.length;
  const fit = model.fitting().length;
  $("go").disabled = !fit;
  $("go").textContent = fit > 1 ? t("protectMany", { count: fit }) : t(fit ? "protectOne" : "protectNone");
  $("chosen").replaceChildren(...some.map((photo) => card(photo, chosenParts)));
}

function drawGroups() {
  const shown = new Map();
  for (const photo of model.photos.values()) {
    if (photo.phase === "chosen") continue;
    const id = model.groupOf(photo);
    shown.set(id, [...(shown.get(id) ?? []), photo]);
  }
  const inOrder = [...shown].sort(([, a], [, b]) => when(b) - when(a));
  $("groups").replaceChildren(...inOrder.map(([id, some]) => group(id, some)));
  $("none").hidden = shown.size > 0;
  $("older").hidden = !model.hasOlder();
  for (const key of cards.keys()) if (!model.photos.has(key)) forget(key);
  for (const id of groups.keys()) if (!shown.has(id)) groups.delete(id);
}

const when = (some) => Math.max(...some.map(({ image, order }) => (image?.created_at ? Date.parse(image.created_at) : order || Date.now())));

function group(id, some) {
  if (!groups.has(id)) groups.set(id, makeGroup(id));
  const { node, title, facts, bar, zip, cancel, retry, list } = groups.get(id);
  const done = some.filter((photo) => photo.image?.state === "succeeded").length;
  const failed = some.filter((photo) => photo.phase === "refused" || photo.image?.state === "failed").length;
  const open = some.filter((photo) => !model.ended(photo));
  write(title, some.length > 1 ? t("groupMany", { count: some.length }) : t("groupOne"));
  const parts = [moment(when(some))];
  if (done) parts.push(t("ready", { count: done }));
  if (failed) parts.push(t("failed", { count: failed }));
  const part = some.reduce((sum, photo) => sum + fraction(photo), 0) / some.length;
  const left = open.length ? secondsLeft(some, part) : 0;
  if (left) parts.push(t("left", { time: duration(left) }));
  write(facts, parts.join(" · "));
  bar.hidden = !open.length;
  bar.value = part;
  zip.hidden = done < 2 || !some[0].batch;
  cancel.hidden = !open.length;
  retry.hidden = !some.some((photo) => model.retriable(photo));
  list.replaceChildren(...some.map((photo) => card(photo, sentParts)));
  return node;
}

function fraction(photo) {
  if (model.ended(photo)) return 1;
  if (photo.phase === "sent") return 0.1 + 0.9 * (photo.image.progress?.fraction ?? 0);
  return 0.1 * (photo.part ?? 0);
}

function secondsLeft(some, part) {
  const began = Math.min(...some.map(({ startedAt }) => startedAt ?? Infinity));
  if (!Number.isFinite(began) || part < 0.05) return 0;
  return ((performance.now() - began) / 1000) * (1 / part - 1);
}

function makeGroup(id) {
  const node = make("section", { className: "card group" });
  const title = make("h3");
  const facts = make("p", { className: "quiet", role: "status" });
  const bar = make("progress", { max: 1, ariaLabel: t("history") });
  const list = make("ul", { className: "cards" });
  const some = () => [...model.photos.values()].filter((photo) => model.groupOf(photo) === id);
  const zip = button("zip", () => downloadZip(id), "primary");
  const cancel = button("cancel", async () => {
    for (const photo of some()) if (!model.ended(photo)) await model.cancel(photo);
  });
  const retry = button("retry", () => model.retry(some()));
  const remove = button("deleteAll", async () => {
    if (await sure(some().length)) for (const photo of some()) await model.forget(photo);
  }, "danger");
  const buttons = make("p", { className: "buttons" });
  buttons.append(zip, cancel, retry, remove);
  const head = make("div", { className: "head" });
  head.append(title, facts, buttons, bar);
  node.append(head, list);
  return { node, title, facts, bar, zip, cancel, retry, list };
}

function card(photo, parts) {
  if (!cards.has(photo.key)) {
    const node = make("li");
    const frame = make("a", { className: "frame" });
    const name = make("span", { className: "name", textContent: photo.name, title: photo.name });
    const state = make("span", { className: "state quiet" });
    const bar = make("progress", { max: 1, ariaLabel: photo.name });
    const buttons = make("span", { className: "small" });
    node.append(frame, name, state, bar, buttons);
    cards.set(photo.key, { node, frame, state, bar, buttons, shown: "" });
  }
  const nodes = cards.get(photo.key);
  picture(photo, nodes);
  parts(photo, nodes);
  return nodes.node;
}

// The file itself; where the browser cannot show it, a preview, or the protected one as soon as it is there.
function picture(photo, { frame }) {
  const ready = photo.image?.state === "succeeded";
  const source = photo.file && !photo.unshown && !photo.unfit ? "file" : photo.preview ? "preview" : ready && "content";
  if (!source || thumbnails.get(photo.key)?.source === source) return;
  thumbnails.set(photo.key, { source });
  const show = (blob) => {
    const url = URL.createObjectURL(blob);
    thumbnails.set(photo.key, { source, url });
    const image = make("img", { alt: "", loading: "lazy", src: url }); // one source each: an error is its own
    image.addEventListener("error", () => {
      image.remove();
      if (source === "file") { photo.unshown = true; drawGroups(); }
    });
    frame.replaceChildren(image);
  };
  if (source !== "content") show(photo[source]);
  else whenSeen(frame, () => api.content(photo.image.id).then(show, () => {}));
}

function whenSeen(node, work) {
  const watch = new IntersectionObserver((seen) => {
    if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
    watch.disconnect();
    work();
  });
  watch.observe(node);
}

function chosenParts(photo, nodes) {
  write(nodes.state, photo.unfit ?? bytes(photo.size));
  nodes.node.classList.toggle("refused", Boolean(photo.unfit));
  nodes.bar.hidden = true;
  refill(nodes, `chosen ${photo.unfit ?? ""}`, () => {
    const label = make("input", { type: "text", maxLength: 256, value: photo.label, ariaLabel: t("labelOf", photo), placeholder: t("labelGiven") });
    label.addEventListener("input", () => { photo.label = label.value.trim(); });
    const remove = button("remove", () => model.unchoose([photo.key]), "", t("removeNamed", photo));
    return photo.unfit ? [remove] : [label, remove];
  });
}

function sentParts(photo, nodes) {
  const state = photo.phase === "sent" ? photo.image.state ?? "queued" : photo.phase;
  const problem = photo.problem ?? photo.image?.error;
  write(nodes.state, problem?.title ?? stateWords(photo, state));
  nodes.state.title = problem?.detail ?? "";
  nodes.node.classList.toggle("refused", Boolean(problem));
  nodes.bar.hidden = model.ended(photo);
  nodes.bar.value = fraction(photo);
  if (state === "succeeded") nodes.frame.href = `#/photo/${photo.image.id}`;
  else nodes.frame.removeAttribute("href");
  nodes.frame.ariaLabel = state === "succeeded" ? t("open", photo) : null;
  refill(nodes, `${state} ${model.retriable(photo)}`, () => buttonsOf(photo, state));
}

function buttonsOf(photo, state) {
  const found = [];
  if (state === "succeeded") found.push(button("download", () => download(photo), "", t("downloadNamed", photo)));
  if (model.retriable(photo)) found.push(button("retry", () => model.retry([photo]), "", t("retryNamed", photo)));
  if (!model.ended(photo)) found.push(button("cancel", () => model.cancel(photo), "", t("cancelNamed", photo)));
  else found.push(button("deleteOne", () => model.forget(photo), "danger", t("deleteNamed", photo)));
  return found;
}

function stateWords(photo, state) {
  const { stage, position } = photo.image?.progress ?? {};
  if (state === "queued" && position) return t("position", { position });
  if (state === "processing" && stage) return t(stage);
  if (state === "succeeded" && photo.image.expires_at) return t("keptUntil", { date: moment(photo.image.expires_at) });
  return t(state);
}

// Nodes are kept while nothing changes, so that no button vanishes under the pointer or loses the focus.
function refill(nodes, shown, fill) {
  if (nodes.shown === shown) return;
  nodes.shown = shown;
  nodes.buttons.replaceChildren(...fill());
}

function forget(key) {
  URL.revokeObjectURL(thumbnails.get(key)?.url);
  thumbnails.delete(key);
  cards.delete(key);
}

export async function download(photo) {
  save(await api.content(photo.image.id), protectedName(photo));
}

async function downloadZip(batch) {
  if (api.key.get()) save(await api.archive(batch), "photoward.zip");
  else link(api.archiveLink(batch), "photoward.zip");
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  link(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const link = (href, download) => make("a", { href, download }).click();

function protectedName({ name, image }) {
  const type = image.output.media_type;
  const extension = type === "image/jpeg" ? "jpg" : type.split("/")[1];
  return `${name.replace(/\.[^.]*$/, "")}-protected.${extension}`;
}

export function sure(count) {
  write($("sure-text"), count > 1 ? t("deleteSure", { count }) : t("deleteSureOne"));
  $("sure").returnValue = "";
  $("sure").showModal();
  return new Promise((resolve) => {
    $("sure").addEventListener("close", () => resolve($("sure").returnValue === "yes"), { once: true });
  });
}

function button(words, work, className = "", ariaLabel = null) {
  const made = make("button", { type: "button", textContent: t(words), className });
  if (ariaLabel) made.ariaLabel = ariaLabel;
  made.addEventListener("click", () => act(work));
  return made;
}

function make(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

// Screen readers announce what is written, so only changes are.
function write(node, words) {
  if (node.textContent !== words) node.textContent = words;
}
