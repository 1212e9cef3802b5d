// Elements of the operator's page: tables, buttons, forms, dialogs.

import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export function make(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// A table that scrolls by itself on a narrow screen; cells are texts, nodes or null.
export function table(label, heads, rows) {
  if (!rows.length) return make("p", { className: "quiet", textContent: t("nothing") });
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col", textContent: text })));
  const body = make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map(data))));
  const whole = make("table", {}, make("thead", {}, head), body);
  return make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: label }, whole);
}

function data(cell) {
  const figure = typeof cell === "string" && /^[\d.,]*$/.test(cell);
  return make("td", { className: figure ? "figure" : "" }, cell ?? "–");
}

export function button(text, label, work, className = "") {
  const made = make("button", { type: "button", textContent: text, className });
  if (label) made.ariaLabel = label;
  made.addEventListener("click", work);
  return made;
}

export const buttons = (...some) => make("span", { className: "small" }, ...some.filter(Boolean));

// An input under its label; rest: further properties of the input.
export function field(text, properties) {
  const input = make("input", { type: "text", autocomplete: "off", ...properties });
  return { input, node: make("label", {}, text, input) };
}

function closed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => { dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }); });
}

export async function sure(text, verb) {
  $("sure-text").textContent = text;
  $("sure-yes").textContent = verb;
  return await closed($("sure")) === "yes";
}

// Shows what the service gives only once.
export async function showSecret(title, text) {
  $("secret-title").textContent = title;
  $("secret-text").value = text;
  $("copy").textContent = t("copy");
  const shown = closed($("secret"));
  $("secret-text").select();
  await shown;
  $("secret-text").value = "";
}

$("copy").addEventListener("click", async () => {
  $("secret-text").select();
  if (navigator.clipboard) await navigator.clipboard.writeText($("secret-text").value).catch(() => document.execCommand("copy"));
  else document.execCommand("copy"); // pages without https have no clipboard
  $("copy").textContent = t("copied");
});
