// The page /verify: a file is dropped or chosen, and what the service says of it is shown.

import { ADVICE } from "./advice.js";
import * as api from "./api.js";
import { language, LANGUAGES, moment, number, t, translate, useLanguage } from "./texts.js";

const $ = (id) => document.getElementById(id);
let newest = 0; // of the files: what an earlier one is is not shown any more

translate(document);
document.title = `${t("verifyTitle")} – Photoward`;

async function verify(file) {
  if (!file) return;
  const mine = ++newest;
  show(t("verifyRunning"), "", [[t("file"), file.name]]);
  try {
    const found = await api.verify(file);
    if (mine === newest) show(t(`verdict_${found.verdict}`), t(`verdict_${found.verdict}_text`), facts(file, found));
  } catch (error) {
    if (mine !== newest) return;
    const problem = error.problem ?? { title: t("away"), detail: t("awayText") };
    const advice = language === "en" && problem.code !== "unauthenticated" && ADVICE[problem.code];
    show(problem.title, advice || problem.remedy || problem.detail, [[t("file"), file.name]]);
  }
  $("verdict").focus();
}

function facts(file, { match, protection, own }) {
  const percent = (share) => `${number(share * 100, 0)} %`;
  const told = [[t("file"), file.name]];
  if (match?.noise_share != null) told.push([t("verifyNoise"), percent(match.noise_share)]);
  if (match?.edited_share) told.push([t("verifyEdited"), percent(match.edited_share)]);
  if (match?.cropped) told.push([t("verifyCropped"), t("verifyYes")]);
  if (protection) {
    told.push([t("verifyWhen"), moment(protection.protected_at)], [t("method"), [protection.method, protection.preset].filter(Boolean).join(", ")]);
    told.push([t("verifySurrogates"), [protection.networks, protection.surrogate].filter(Boolean).join(", ")]);
    if (protection.visibility != null) told.push([t("verifyVisibility"), number(protection.visibility, 1)]);
    if (protection.survival_hosted != null) told.push([t("survivalHosted"), percent(protection.survival_hosted)]);
    told.push([t("verifySize"), `${protection.width} × ${protection.height}`], [t("verifyId"), protection.id]);
  }
  if (own) told.push([t("verifyOwn"), own.id ?? t("verifyDeleted")]);
  return told;
}

function show(title, text, told) {
  $("result").hidden = false;
  $("verdict").textContent = title;
  $("text").textContent = text;
  $("facts").replaceChildren(...told.map(([name, value]) => {
    const [pair, term, said] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
    [term.textContent, said.textContent] = [name, value];
    pair.append(term, said);
    return pair;
  }));
}

$("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = ""; // the same file may be chosen again
  verify(file);
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") verify(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", ({ clipboardData }) => verify(clipboardData.files[0]));
for (const [code, name] of Object.entries(LANGUAGES)) $("language").append(new Option(name, code, false, code === language));
$("language").addEventListener("change", ({ target }) => useLanguage(target.value));
