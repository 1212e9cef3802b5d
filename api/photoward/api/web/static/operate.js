// The operator's page: one view at a time, read from the API with what the key allows.

import { call, json, key, limits, ownKey, Refusal } from "./api.js";
import "./operate-texts.js";
import { button, buttons, field, make, showSecret, sure, table } from "./elements.js";
import { overview } from "./operate-overview.js";
import { language, LANGUAGES, moment, number, t, translate, useLanguage } from "./texts.js";

const REFRESH_MS = 10_000;
const TENANT_SCOPES = ["read", "write", "webhooks", "admin"];

const $ = (id) => document.getElementById(id);
const VIEWS = { // name → what draws it, and the scope that it needs
  overview: [overview, "operator"],
  tenants: [tenants, "operator"],
  batches: [batches, "read"],
  webhooks: [webhooks, "webhooks"],
  keys: [keys, "admin"],
  audit: [audit, "admin", "operator"],
};
let own = null; // the key
let shown = ""; // the view that is drawn

const may = (scope) => own.id === null || own.scopes.includes(scope);
const views = () => Object.keys(VIEWS).filter((name) => VIEWS[name].slice(1).some(may));
const send = (method, path, body) => call(path, {
  method, ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
});
const post = async (path, body) => (await send("POST", path, body)).json();

translate(document);

async function run(work) {
  $("problem").hidden = true;
  try {
    await work();
  } catch (error) {
    complain(error);
  }
}

// A button's work, and then the view anew.
const acting = (work) => () => run(async () => {
  if (await work() !== false) await draw();
});

function complain(error) {
  const problem = error instanceof Refusal ? error.problem : { title: "Error in this page", detail: String(error) };
  if (problem.code === "unauthenticated") askForKey();
  $("problem-title").textContent = problem.title;
  $("problem-detail").textContent = problem.detail ?? "";
  $("problem-remedy").textContent = problem.remedy ?? "";
  $("problem").hidden = false;
}

function askForKey() {
  $("access").hidden = false;
  $("key-hint").hidden = false;
  $("key-wrong").hidden = !key.get();
  for (const id of ["views", "view"]) $(id).hidden = true;
}

async function begin() {
  try {
    own = await ownKey();
  } catch (error) {
    if (error.problem?.code === "unauthenticated") askForKey();
    else complain(error);
    return;
  }
  $("access").hidden = own.id === null;
  $("key").value = key.get();
  for (const id of ["key-wrong", "key-hint"]) $(id).hidden = true;
  $("who").textContent = own.id === null ? t("whoAnybody") : t("who", { tenant: own.tenant, name: own.name });
  $("views").replaceChildren(...views().map((name) => make("a", { href: `#/${name}`, textContent: t(name) })));
  $("views").hidden = !views().length;
  await route();
}

async function route() {
  if (!own) return;
  const [first] = views();
  if (!first) {
    complain(new Refusal({ title: t("operation"), detail: t("nothingAllowed") }));
    return;
  }
  const asked = location.hash.slice(2);
  const moved = shown && shown !== asked;
  shown = views().includes(asked) ? asked : first;
  for (const link of $("views").children) {
    if (link.hash === `#/${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  $("view").hidden = false;
  $("view-title").textContent = t(shown);
  $("view-hint").textContent = t(`${shown}Hint`, { tenant: own.tenant });
  $("content").replaceChildren();
  await run(draw);
  if (moved) $("view-title").focus();
}

async function draw() {
  const name = shown;
  const nodes = await VIEWS[name][0]();
  if (name === shown) $("content").replaceChildren(...nodes);
}

// A list that grows by a page at each click.
async function list(path, heads, row, label = t(shown)) {
  const rows = [];
  const place = make("div");
  const join = path.includes("?") ? "&" : "?";
  const load = async (cursor) => {
    const { items, next } = await json(cursor ? `${path}${join}cursor=${encodeURIComponent(cursor)}` : path);
    rows.push(...items.map(row));
    const more = next && button(t("more"), null, () => run(() => load(next)));
    place.replaceChildren(table(label, heads.map((head) => t(head)), rows), ...(more ? [more] : []));
  };
  await load("");
  return [place];
}

function tenants() {
  return list("/v1/installation/tenants", ["tenant", "usedOfQuota", "queued", "succeeded", "failedMany", "weight", "activeKeys"], (one) => [
    one.id, use(one), number(one.queued.images, 0), number(one.counts.succeeded ?? 0, 0), number(one.counts.failed ?? 0, 0),
    number(one.weight, one.weight % 1 ? 2 : 0), number(one.active_keys, 0),
  ]);
}

function use({ id, megapixels, quota_megapixels: quota }) {
  const used = number(megapixels, 1);
  if (quota === null) return t("unlimited", { used });
  const bar = make("progress", { max: Math.max(quota, 1e-9), value: Math.min(megapixels, quota), ariaLabel: `${t("usedOfQuota")}: ${id}` });
  return make("span", {}, t("quotaOf", { used, quota: number(quota, 0) }), bar);
}

function audit() {
  const all = may("operator");
  const heads = ["at", ...(all ? ["tenant"] : []), "action", "resource", "detail", "outcome", "actor", "address"];
  return list(`/v1/${all ? "installation/" : ""}audit?newest_first=true`, heads, (one) => [
    moment(one.at), ...(all ? [one.tenant] : []), one.action, one.resource_id, one.detail, one.outcome, one.actor, one.address,
  ]);
}

async function keys() {
  const found = (await json("/v1/keys")).keys.reverse();
  const rows = found.map((one) => {
    const { id, name, expires_at: end } = one;
    const ended = end && Date.parse(end) <= Date.now();
    const rotate = async () => {
      if (!await sure(t("rotateSure", { name }), t("rotate"))) return false;
      const made = await post(`/v1/keys/${id}/rotate`, {});
      if (id === own.id) key.set(made.key); // or this page would be locked out tomorrow
      await showSecret(t("theKey", { name }), made.key);
      return id === own.id ? begin() : undefined;
    };
    const revoke = async () => await sure(t("revokeSure", { name }), t("revoke")) && send("DELETE", `/v1/keys/${id}`);
    return [
      id === own.id ? `${name} ${t("keyIsThis")}` : name, id, one.scopes.join(", "), moment(one.created_at),
      ended ? t("expired", { date: moment(end) }) : end ? moment(end) : t("never"),
      ended ? "" : buttons(
        !one.scopes.includes("operator") && button(t("rotate"), t("rotateNamed", { name }), acting(rotate)),
        button(t("revoke"), t("revokeNamed", { name }), acting(revoke), "danger"),
      ),
    ];
  });
  const heads = ["name", "id", "scopes", "created", "expires", "actions"];
  return [table(t("keys"), heads.map((head) => t(head)), rows), make("h3", { textContent: t("newKey") }), newKey()];
}

function newKey() {
  const name = field(t("newKeyName"), { required: true, maxLength: 128 });
  const days = field(t("days"), { type: "number", min: 1, max: 3650 });
  const boxes = TENANT_SCOPES.map((scope) => make("input", { type: "checkbox", value: scope, checked: ["read", "write"].includes(scope) }));
  const checks = make("fieldset", {}, make("legend", { textContent: t("scopes") }),
    make("span", { className: "checks" }, ...boxes.map((box) => make("label", {}, box, ` ${box.value}`))));
  return newForm([name.node, checks, days.node], async () => {
    const scopes = boxes.filter(({ checked }) => checked).map(({ value }) => value);
    const body = { name: name.input.value, scopes, ...(days.input.value && { expires_in_days: Number(days.input.value) }) };
    const made = await post("/v1/keys", body);
    await showSecret(t("theKey", { name: made.name }), made.key);
  });
}

function newForm(fields, work) {
  const form = make("form", { className: "new" }, ...fields, make("span", {}, make("button", { type: "submit", className: "primary", textContent: t("make") })));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    acting(work)();
  });
  return form;
}

let watched = null; // the webhook whose deliveries are shown

async function webhooks() {
  const { webhooks: found } = await json("/v1/webhooks");
  const heads = ["url", "events", "state", "created", "actions"];
  const rows = found.map((hook) => {
    const name = hook.url ?? t("callbacks");
    return [
      name, hook.events.join(", "), hook.disabled_at ? t("disabled", { date: moment(hook.disabled_at) }) : t("enabled"),
      moment(hook.created_at), hookButtons(hook, name),
    ];
  });
  const url = field(t("webhookUrl"), { type: "url", required: true, placeholder: "https://" });
  const form = newForm([url.node], async () => {
    const made = await post("/v1/webhooks", { url: url.input.value });
    await showSecret(t("theSecret"), made.secret);
  });
  const current = found.find(({ id }) => id === watched);
  return [
    table(t("webhooks"), heads.map((head) => t(head)), rows), ...(current ? await deliveries(current) : []),
    make("h3", { textContent: t("newWebhook") }), form,
  ];
}

function hookButtons({ id, url }, name) {
  const path = `/v1/webhooks/${id}`;
  const show = () => { watched = id; };
  const test = async () => {
    await post(`${path}/test`);
    watched = id;
  };
  const rotate = async () => {
    if (!await sure(t("rotateSecretSure", { name }), t("rotateSecret"))) return false;
    return showSecret(t("theSecret"), (await post(`${path}/rotate`)).secret);
  };
  const remove = async () => await sure(t("removeSure", { name }), t("remove")) && send("DELETE", path);
  return buttons(
    button(t("deliveries"), t("deliveriesNamed", { name }), acting(show)),
    url && button(t("test"), t("testNamed", { name }), acting(test)),
    button(t("rotateSecret"), t("rotateSecretNamed", { name }), acting(rotate)),
    button(t("remove"), t("removeNamed", { name }), acting(remove), "danger"),
  );
}

async function deliveries({ id, url }) {
  const heads = ["created", "event", "state", "attempts", "answer", "next", "actions"];
  const path = `/v1/webhooks/${id}/deliveries`;
  const nodes = await list(`${path}?newest_first=true&limit=20`, heads, (one) => [
    moment(one.created_at), one.event, t(one.state === "failed" ? "failedDelivery" : one.state), number(one.attempts, 0),
    one.error ?? (one.status && String(one.status)), one.due_at && moment(one.due_at),
    buttons(button(t("replay"), t("replayNamed", { name: one.id }), acting(() => post(`${path}/${one.id}/replay`)))),
  ], t("deliveries"));
  return [make("h3", { textContent: t("deliveriesOf", { name: url ?? t("callbacks") }) }), ...nodes];
}

function batches() {
  const heads = ["name", "state", "progress", "succeeded", "failedMany", "refused", "created", "id", "actions"];
  return list("/v1/batches", heads, (one) => {
    const name = one.name || one.id.slice(0, 8);
    const path = `/v1/batches/${one.id}`;
    const act = (word) => acting(() => post(`${path}/${word}`));
    const cancel = async () => await sure(t("cancelSure", { name }), t("cancel")) && post(`${path}/cancel`);
    const bar = make("progress", { max: Math.max(1, one.total), value: one.ended, ariaLabel: `${t("progress")}: ${name}` });
    return [
      name, t(one.state), make("span", {}, `${number(one.ended, 0)} / ${number(one.total, 0)}`, bar),
      number(one.counts.succeeded ?? 0, 0), number(one.counts.failed ?? 0, 0), number(one.refused, 0), moment(one.created_at), one.id,
      may("write") ? buttons(
        one.state === "open" && button(t("close"), t("closeNamed", { name }), act("close")),
        one.ended < one.total && button(t("cancel"), t("cancelNamed", { name }), acting(cancel), "danger"),
        one.counts.failed && button(t("retry"), t("retryNamed", { name }), act("retry")),
      ) : "",
    ];
  });
}

$("access").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set($("key").value.trim());
  $("problem").hidden = true;
  begin();
});
$("refresh").addEventListener("click", () => run(draw));
$("problem-close").addEventListener("click", () => { $("problem").hidden = true; });
window.addEventListener("hashchange", route);
setInterval(() => {
  if (shown === "overview" && !document.hidden && !$("view").hidden) draw().catch(complain);
}, REFRESH_MS);

for (const [code, name] of Object.entries(LANGUAGES)) $("language").append(new Option(name, code, code === language, code === language));
$("language").addEventListener("change", () => useLanguage($("language").value));
begin();
limits().then(({ version }) => { $("version").textContent = t("version", { version }); }, () => {});
