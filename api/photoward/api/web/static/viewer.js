// Before and after, one over the other or side by side, enlarged by wheel, pinch, double-click or keys.

import { drawDifference } from "./difference.js";
import { t, number } from "./texts.js";

const GAIN = 10;
const SMALL = 128; // pixels; smaller photos are shown with hard pixels
const LARGEST = 4; // 400 %
const STEP = 1.25;

const $ = (id) => document.getElementById(id);
const stand = $("stand");
const pictures = ["before", "after", "difference"].map($);
const view = { scale: 1, x: 0, y: 0 }; // scale 1 fits; x, y in CSS pixels of a pane
const pointers = new Map();
let split = false; // the handle is being dragged
let addresses = [];

// before: a file, or null; preview: what stands for one that the browser cannot show, or null.
// Returns a sentence if not all can be shown.
export async function compare(before, after, preview = null) {
  $("views").hidden = true;
  stand.dataset.view = "after";
  addresses.forEach(URL.revokeObjectURL);
  addresses = [before, after].map((file) => (file ? URL.createObjectURL(file) : ""));
  $("after").src = addresses[1];
  if (before) $("before").src = addresses[0];
  await $("after").decode().catch(() => {});
  const { naturalWidth: width, naturalHeight: height } = $("after");
  stand.style.setProperty("--ratio", `${width || 4} / ${height || 3}`);
  stand.toggleAttribute("data-small", Math.max(width, height) <= SMALL);
  fit();
  const scale = before && await drawDifference(before, after, $("difference"), GAIN).catch(() => null);
  const previewed = scale === null && preview;
  const both = scale !== null ? Boolean(before) : Boolean(preview);
  if (previewed) await standIn(preview);
  const chosen = document.querySelector("[name=view]:checked");
  const difference = document.querySelector("[name=view][value=difference]");
  difference.parentElement.hidden = Boolean(previewed); // of what is not of the same size
  if (previewed && chosen === difference) document.querySelector("[name=view][value=slider]").checked = true;
  stand.dataset.view = both ? document.querySelector("[name=view]:checked").value : "after";
  $("views").hidden = !both;
  apply();
  if (previewed) return t("previewed", { pixels: Math.max($("before").naturalWidth, $("before").naturalHeight) });
  if (!before) return t("noOriginal");
  if (scale === null) return t("noPreview");
  return scale < 1 ? t("scaled", { percent: Math.round(100 * scale) }) : "";
}

async function standIn(preview) {
  if (addresses[0]) URL.revokeObjectURL(addresses[0]);
  addresses[0] = URL.createObjectURL(preview);
  $("before").src = addresses[0];
  await $("before").decode().catch(() => {});
}

function choose(name) {
  stand.dataset.view = name;
  fit();
}

function fit() {
  Object.assign(view, { scale: 1, x: 0, y: 0 });
  apply();
}

const pane = () => $("after").parentElement.getBoundingClientRect();

// The scale at which a pixel of the photo is a pixel of the screen; below 1 where a small photo fills the stand.
const pixel = () => ($("after").naturalWidth || 1) / ((pane().width || 1) * devicePixelRatio);
const actual = () => Math.max(1, pixel());

function zoom(factor, point) {
  const box = pane();
  const scale = Math.min(Math.max(1, view.scale * factor), LARGEST * actual());
  const at = point ?? { x: box.width / 2, y: box.height / 2 };
  view.x = at.x - (at.x - view.x) * (scale / view.scale);
  view.y = at.y - (at.y - view.y) * (scale / view.scale);
  view.scale = scale;
  apply();
}

function apply() {
  const { width, height } = pane();
  view.x = Math.min(0, Math.max(view.x, width - width * view.scale));
  view.y = Math.min(0, Math.max(view.y, height - height * view.scale));
  for (const picture of pictures) {
    picture.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    picture.classList.toggle("hard", view.scale > actual());
  }
  $("percent").textContent = $("after").naturalWidth ? `${number(100 * (view.scale / pixel()), 0)} %` : "";
  stand.toggleAttribute("data-zoomed", view.scale > 1);
}

const within = ({ clientX, clientY, target }) => {
  const box = (target.closest(".layer") ?? $("after").parentElement).getBoundingClientRect();
  return { x: clientX - box.left, y: clientY - box.top };
};

stand.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY < 0 ? STEP : 1 / STEP, within(event));
}, { passive: false });

stand.addEventListener("dblclick", (event) => {
  if (view.scale > 1) fit();
  else zoom(actual() > 1 ? actual() : 2, within(event));
});

stand.addEventListener("pointerdown", (event) => {
  if (event.target.id === "split") return;
  stand.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
  split = Boolean(event.target.closest?.("#handle"));
});

stand.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  if (split) slide((100 * (event.clientX - stand.getBoundingClientRect().left)) / stand.clientWidth);
  else if (pointers.size === 2) pinch(event, last);
  else {
    view.x += event.clientX - last.clientX;
    view.y += event.clientY - last.clientY;
    apply();
  }
  pointers.set(event.pointerId, event);
});

function pinch(event, last) {
  const other = [...pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
  const span = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  const box = pane();
  zoom(span(event) / Math.max(1, span(last)), {
    x: (event.clientX + other.clientX) / 2 - box.left, y: (event.clientY + other.clientY) / 2 - box.top,
  });
}

for (const kind of ["pointerup", "pointercancel"]) {
  stand.addEventListener(kind, (event) => {
    pointers.delete(event.pointerId);
    split = false;
  });
}

function slide(percent) {
  $("split").value = Math.min(100, Math.max(0, percent));
  stand.style.setProperty("--split", `${$("split").value}%`);
}

$("split").addEventListener("input", () => slide($("split").value));
$("views").addEventListener("change", (event) => choose(event.target.value));
$("larger").addEventListener("click", () => zoom(STEP));
$("smaller").addEventListener("click", () => zoom(1 / STEP));
$("whole").addEventListener("click", fit);
$("pixels").addEventListener("click", () => zoom(actual() / view.scale));
new ResizeObserver(apply).observe(stand);
