// The page: what is chosen and typed becomes calls of photos.js; addresses lead to all photos or to one.

import { ADVICE } from "./advice.js";
import * as api from "./api.js";
import { filesOf, visible } from "./files.js";
import { download, drawAll, sure } from "./grid.js";
import * as model from "./photos.js";
import { bytes, language, LANGUAGES, moment, number, t, translate, useLanguage } from "./texts.js";
import { compare } from "./viewer.js";

const LITTLE = 0.5; // of the noise in the file: less is told

const $ = (id) => document.getElementById(id);
let limits = null;
let shown = null; // the photo that is compared

translate(document);

async function take(files) {
  location.hash = "#/";
  await model.choose(visible(files), limits);
  $("go").focus();
}

function options() {
  const found = { preset: document.querySelector("[name=preset]:checked").value };
  for (const name of ["output_format", "sizes", "method"]) if ($(name).value.trim()) found[name] = $(name).value.trim();
  const kept = [...document.querySelectorAll("[name=keep]:checked")].map(({ value }) => value);
  if (kept.length) found.keep_exif = kept.join();
  if (found.method) delete found.preset;
  return found;
}

// Runs what a button asks for, and shows the problem if there is one.
async function run(work) {
  $("problem").hidden = true;
  try {
    await work();
  } catch (error) {
    complain(error);
  }
}

function complain(error) {
  const problem = error instanceof api.Refusal ? error.problem : { title: "Error in this page", detail: String(error) };
  if (["unauthenticated", "forbidden"].includes(problem.code)) askForKey(problem.code === "unauthenticated" && api.key.get());
  $("problem-title").textContent = problem.title;
  $("problem-detail").textContent = problem.detail ?? "";
  $("problem-remedy").textContent = (language === "en" && ADVICE[problem.code]) || problem.remedy || "";
  $("problem").hidden = false;
}

function askForKey(wrong) {
  $("access").hidden = false;
  $("key-wrong").hidden = !wrong;
}

async function begin() {
  try {
    await api.ownKey();
    $("access").hidden = !api.key.get();
    $("key-wrong").hidden = true;
    $("problem").hidden = true;
    await model.load();
    await route();
  } catch (error) {
    if (error.problem?.code === "unauthenticated") askForKey(api.key.get());
    else complain(error);
  }
}

async function route() {
  const id = location.hash.match(/^#\/photo\/([0-9a-f]+)$/)?.[1];
  $("all").hidden = Boolean(id);
  $("one").hidden = !id;
  if (id) await run(() => present(id));
  else shown = null;
}

async function present(id) {
  const image = await api.image(id);
  shown = [...model.photos.values()].find((photo) => photo.image?.id === id)
    ?? { key: id, file: null, name: image.source.filename ?? id, image, phase: "sent" };
  const survival = image.measured.survival ?? 1;
  $("result-title").textContent = t(survival < LITTLE ? "littleTitle" : "protectedTitle");
  $("little").hidden = survival >= LITTLE;
  $("little").textContent = t("little", { percent: Math.round(100 * survival) });
  $("result-name").textContent = shown.name;
  figures(image);
  $("result-title").focus();
  $("remark").textContent = await compare(shown.file, await api.content(id), shown.preview);
}

function figures({ measured, source, output, label_used: label, label_source: origin, expires_at: expires }) {
  const decimals = (value, digits, unit = "") => (Number.isFinite(value) ? number(value, digits) + unit : "–");
  const rows = [
    [t("size"), `${source.width} × ${source.height}`],
    [t("visible"), seen(measured.visibility)],
    ["PSNR", decimals(measured.psnr_db, 1, " dB")],
    ["SSIM", decimals(measured.ssim, 3)],
    [t("linf"), decimals(measured.linf, 0, " / 255")],
    [t("survival"), decimals(100 * measured.survival, 0, " %")],
    [t("file"), `${bytes(source.size)} → ${bytes(output.size)}`],
    [t(origin === "given" ? "labelGiven" : "labelPredicted"), label ?? "–"],
    ["", expires ? t("keptUntil", { date: moment(expires) }) : t("keptForever")],
  ];
  if (Number.isFinite(measured.survival_hosted)) rows.splice(6, 0, [t("survivalHosted"), decimals(100 * measured.survival_hosted, 0, " %")]);
  if (measured.notes?.length) rows.push([t("notes"), measured.notes.join(" ")]);
  $("figures").replaceChildren(...rows.map(([name, value]) => {
    const row = document.createElement("div");
    row.append(Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: value }));
    return row;
  }));
}

// 1 is the threshold of seeing the change with both photos side by side.
function seen(visibility) {
  if (!Number.isFinite(visibility)) return "–";
  const step = [0.5, 1, 2, Infinity].findIndex((most) => visibility <= most);
  return `${t(`seen${step}`)} (${number(visibility, 1)})`;
}

function examples() {
  const level = document.querySelector("[name=preset]:checked").value;
  for (const picture of document.querySelectorAll("#examples img")) {
    const drawn = level === "hosted" ? "strong" : level;
    picture.src = `/static/examples/${picture.dataset.photo}-${drawn}.webp`;
    picture.alt = t("exampleOf", { photo: t(picture.dataset.photo), level: t(level) });
  }
}

for (const id of ["file", "folder"]) {
  $(id).addEventListener("change", () => {
    take([...$(id).files]);
    $(id).value = "";
  });
}
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  run(async () => {
    const label = $("label").value.trim();
    const single = model.fitting();
    await model.submit("", options(), label);
    if (single.length === 1) waitFor(single[0]);
    $("groups").scrollIntoView({ block: "nearest" });
  });
});

// One photo alone is shown as soon as it is ready, if nothing else has been begun meanwhile.
function waitFor(photo) {
  const look = () => {
    if (!model.ended(photo)) return;
    model.events.removeEventListener("change", look);
    if (photo.image?.state === "succeeded" && location.hash.length < 3 && !model.chosen().length) location.hash = `#/photo/${photo.image.id}`;
  };
  model.events.addEventListener("change", look);
}

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") run(async () => take(await filesOf(event.dataTransfer)));
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take([...event.clipboardData.files]);
});
$("access").addEventListener("submit", (event) => {
  event.preventDefault();
  api.key.set($("key").value.trim());
  begin();
});
$("remove-all").addEventListener("click", () => model.unchoose(model.chosen().map(({ key }) => key)));
$("strength").addEventListener("change", examples);
$("older").addEventListener("click", () => run(model.showOlder));
$("problem-close").addEventListener("click", () => { $("problem").hidden = true; });
$("download").addEventListener("click", () => run(() => download(shown)));
$("delete").addEventListener("click", () => run(async () => {
  if (!await sure(1)) return;
  await model.forget(shown);
  location.hash = "#/";
}));
window.addEventListener("hashchange", route);
window.addEventListener("online", model.send);

let drawing = 0;
model.events.addEventListener("change", () => {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    drawAll(run);
  });
});
model.events.addEventListener("problem", ({ detail }) => complain(detail));
model.events.addEventListener("key", () => askForKey(api.key.get()));

for (const [code, name] of Object.entries(LANGUAGES)) $("language").append(new Option(name, code, code === language, code === language));
$("language").addEventListener("change", () => useLanguage($("language").value));

$("key").value = api.key.get();
examples();
drawAll(run);
begin();
model.watch();

api.methods().then(({ methods, levels, default: usual }) => {
  for (const { preset, sentence } of language === "en" ? levels : []) {
    const place = document.querySelector(`[data-t=${preset}Text]`);
    if (place) place.textContent = sentence;
  }
  for (const { name, title, baseline } of methods) if (!baseline && name !== usual) $("method").append(new Option(title, name));
}, () => {}); // the page's own text stays

api.limits().then((found) => {
  limits = found;
  $("version").textContent = t("version", { version: limits.version });
  const kinds = Object.keys(limits.inputs).map((name) => name.toUpperCase()).join(", ");
  $("accepts").textContent = t("accepts", { kinds, size: bytes(limits.max_body_bytes), megapixels: limits.max_megapixels });
  const hours = Math.max(1, Math.round(limits.retention_s / 3600));
  $("retention").textContent = hours < 48 ? t("keptHours", { hours }) : t("keptDays", { days: Math.round(hours / 24) });
  $("retention").hidden = !limits.retention_s;
  for (const name of Object.keys(limits.formats)) $("output_format").append(new Option(name.toUpperCase(), name));
}, () => {}); // without the limits the page still works; the service reports one that is exceeded

