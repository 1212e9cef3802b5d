// The page: one photo at a time, from choosing it to downloading or deleting the result.

import { ADVICE } from "./advice.js";
import { content, key, limits, methods, Refusal, remove, untilEnded, upload } from "./api.js";
import { drawDifference } from "./difference.js";

const GAIN = 10;
const SMALL = 128; // pixels; smaller photos are shown with hard pixels

const $ = (id) => document.getElementById(id);
const panels = ["ask", "working", "problem", "result"];
const stages = { decode: "Reading the photo", perturb: "Computing the noise", encode: "Writing and checking the file" };

let file = null;
let item = null;
let stop = new AbortController();

function show(panel) {
  for (const id of panels) $(id).hidden = id !== panel;
}

function choose(chosen) {
  if (!chosen) return;
  file = chosen;
  $("preview").src = address("preview", file);
  $("preview").hidden = false;
  $("preview").onerror = () => { $("preview").hidden = true; };
  $("invitation").textContent = file.name || "The pasted photo";
  $("chosen").textContent = `${size(file.size)}. Choose another by clicking, dropping or pasting.`;
  $("go").disabled = false;
}

async function protect() {
  const started = performance.now();
  stop = new AbortController();
  item = null;
  progress("Uploading", 0);
  show("working");
  try {
    item = await upload(form(), (part) => progress("Uploading", 0.3 * part), stop.signal);
    item = await untilEnded(item, tell, stop.signal);
    progress("Downloading the protected photo", 0.95);
    await present(await content(item, stop.signal), (performance.now() - started) / 1000);
  } catch (error) {
    if (error.name === "AbortError") return;
    complain(error);
  }
}

function form() {
  const fields = new FormData();
  // Options first: they are checked before the photo has been sent.
  fields.append("preset", document.querySelector("[name=preset]:checked").value);
  if ($("label").value.trim()) fields.append("label", $("label").value.trim());
  fields.append("file", file, file.name || "photo");
  return fields;
}

function tell({ progress: { stage, fraction, position } }) {
  if (stage) progress(stages[stage], 0.3 + 0.6 * fraction);
  else progress(position ? `Waiting: ${position} before this one` : "Waiting for a worker", 0.3);
}

function progress(words, part) {
  if ($("stage").textContent !== words) $("stage").textContent = words; // screen readers announce changes only
  $("bar").value = part;
}

async function present(protectedFile, seconds) {
  $("before").src = address("before", file);
  $("after").src = address("after", protectedFile);
  $("download").href = address("download", protectedFile);
  $("download").download = name(file, item.output);
  $("stand").toggleAttribute("data-small", Math.max(item.source.width, item.source.height) <= SMALL);
  await compare(protectedFile);
  figures(seconds);
  show("result");
  $("result-title").focus();
}

async function compare(protectedFile) {
  const scale = await drawDifference(file, protectedFile, $("difference"), GAIN).catch(() => null);
  $("views").hidden = scale === null;
  $("stand").dataset.view = scale === null ? "after" : document.querySelector("[name=view]:checked").value;
  $("scaled").hidden = scale === 1;
  $("scaled").textContent = scale === null
    ? "This browser cannot show the original’s format, so the two cannot be compared."
    : `The difference is drawn at ${Math.round(100 * scale)} % of the photo’s size.`;
}

function figures(seconds) {
  const { measured, source, output, label_used: label, label_source: origin } = item;
  const rows = [
    ["Size", `${source.width} × ${source.height}`],
    ["Visible beside the original", seen(measured.visibility)],
    ["PSNR", measured.psnr_db === null ? "unchanged" : number(measured.psnr_db, 1, " dB")],
    ["SSIM", number(measured.ssim, 3)],
    ["Largest change (L∞)", number(measured.linf, 0, " / 255")],
    ["Noise left after a site’s JPEG compression", number(100 * (measured.survival_hosted ?? NaN), 0, " %")],
    ["Total time", number(seconds, 1, " s")],
    ["File", `${size(source.size)} → ${size(output.size)}`],
    [origin === "given" ? "Label" : "Label (predicted)", label ?? "–"],
  ];
  $("figures").replaceChildren(...rows.map(([name, value]) => {
    const row = document.createElement("div");
    row.append(element("dt", name), element("dd", value));
    return row;
  }));
}

// 1 is the threshold of seeing the change with both photos side by side.
function seen(visibility) {
  if (visibility === undefined || visibility === null) return "–";
  const steps = [[0.5, "no"], [1, "hardly, even if looked for"], [2, "just, if looked for"], [Infinity, "at a glance"]];
  const [, words] = steps.find(([most]) => visibility <= most);
  return `${words} (${visibility.toFixed(1)})`;
}

function name({ name: original = "photo" }, { media_type: type }) {
  const extension = type === "image/jpeg" ? "jpg" : type.split("/")[1];
  return `${original.replace(/\.[^.]*$/, "")}-protected.${extension}`;
}

function complain(error) {
  if (["unauthenticated", "forbidden"].includes(error.problem?.code)) $("access").hidden = false;
  const problem = error instanceof Refusal ? error.problem : { title: "Error in this page", detail: String(error) };
  $("problem-title").textContent = problem.title;
  $("problem-detail").textContent = problem.detail ?? "";
  $("problem-remedy").textContent = ADVICE[problem.code] ?? problem.remedy ?? "";
  show("problem");
  $("problem").focus();
}

async function erase() {
  stop.abort();
  try {
    if (item) await remove(item);
    restart();
  } catch (error) {
    complain(error);
  }
}

function restart() {
  show("ask");
  $("file").value = "";
  $("file").focus();
}

const kept = new Map();

// An object URL for a photo; the previous one in the same place is revoked.
function address(place, blob) {
  URL.revokeObjectURL(kept.get(place));
  kept.set(place, URL.createObjectURL(blob));
  return kept.get(place);
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

const number = (value, digits, unit = "") => (Number.isFinite(value) ? value.toFixed(digits) + unit : "–");
const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

$("file").addEventListener("change", () => choose($("file").files[0]));
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set($("key").value.trim());
  protect();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && !$("ask").hidden) choose(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => {
  if (!$("ask").hidden) choose(event.clipboardData.files[0]);
});
$("split").addEventListener("input", () => $("stand").style.setProperty("--split", `${$("split").value}%`));
$("views").addEventListener("change", (event) => { $("stand").dataset.view = event.target.value; });
$("cancel").addEventListener("click", erase);
$("delete").addEventListener("click", erase);
$("again").addEventListener("click", restart);
$("another").addEventListener("click", restart);

$("key").value = key.get();
$("access").hidden = !key.get();

methods().then(({ levels }) => {
  for (const { preset, sentence } of levels) {
    const place = document.querySelector(`[data-level="${preset}"]`);
    if (place) place.textContent = sentence;
  }
}, () => {}); // the page's own text stays

limits().then(({ inputs, max_body_bytes: bytes, max_megapixels: megapixels }) => {
  $("file").accept = Object.values(inputs).join();
  const kinds = Object.keys(inputs).map((name) => name.toUpperCase()).join(", ");
  if (!file) $("chosen").textContent = `${kinds}; up to ${Math.floor(bytes / 2 ** 20)} MiB and ${megapixels} megapixels`;
}, () => {}); // without the limits the page still works; the service reports one that is exceeded
