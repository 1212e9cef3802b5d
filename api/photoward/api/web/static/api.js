// Calls /v1. Every problem is thrown as a Refusal with code, title, detail and remedy.

import { t } from "./texts.js";

export class Refusal extends Error {
  constructor(problem, retryAfter = 0) {
    super(problem.title);
    this.problem = problem;
    this.retryAfter = retryAfter; // seconds
  }

  // Whether the same request may succeed later.
  get passes() {
    return this.problem === AWAY || [429, 503, 507].includes(this.problem.status);
  }
}

// The API key, where one is required: stored until the tab is closed.
export const key = {
  get: () => sessionStorage.getItem("key") ?? "",
  set: (text) => sessionStorage.setItem("key", text),
};

const AWAY = { code: "away", title: t("away"), detail: t("awayText") };

// XMLHttpRequest, because fetch does not report upload progress. The same name again is the same photo.
export function upload(form, name, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
    request.onload = () => (request.status < 300 ? resolve(JSON.parse(request.responseText))
      : reject(refusal(request.responseText, request.getResponseHeader("Retry-After"))));
    request.onerror = () => reject(new Refusal(AWAY));
    signal.addEventListener("abort", () => {
      request.abort();
      reject(signal.reason);
    });
    request.open("POST", "/v1/images");
    for (const [header, value] of Object.entries({ ...credentials(), "Idempotency-Key": name })) request.setRequestHeader(header, value);
    request.send(form);
  });
}

export const images = (after) => json(`/v1/images?limit=100${after ? `&cursor=${encodeURIComponent(after)}` : ""}`);
export const image = (id) => json(`/v1/images/${id}`);
export const content = async (id) => (await call(`/v1/images/${id}/content`)).blob();
export const preview = async (id) => (await call(`/v1/images/${id}/preview`)).blob();
export const remove = (id) => call(`/v1/images/${id}`, { method: "DELETE" });

export const createBatch = (name, options) => json("/v1/batches", {
  method: "POST", body: JSON.stringify({ name, options }), headers: { "Content-Type": "application/json" },
});
export const retryBatch = (id) => call(`/v1/batches/${id}/retry`, { method: "POST" });
export const archive = async (id) => (await call(`/v1/batches/${id}/archive`)).blob();
export const archiveLink = (id) => `/v1/batches/${id}/archive`;

export const verify = (file) => json("/v1/verify", { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });

export const ownKey = () => json("/v1/keys/self");
export const methods = () => json("/v1/methods");
export const limits = () => json("/v1/limits");

export const json = async (address, options) => (await call(address, options)).json();

export async function call(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { ...options, headers: { ...credentials(), ...options.headers } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Refusal(AWAY);
  }
  if (!response.ok) throw refusal(await response.text(), response.headers.get("Retry-After"));
  return response;
}

const credentials = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

function refusal(text, retryAfter) {
  try {
    return new Refusal(JSON.parse(text), Number(retryAfter) || 0);
  } catch {
    return new Refusal(AWAY); // a proxy in between answered, not the service
  }
}
