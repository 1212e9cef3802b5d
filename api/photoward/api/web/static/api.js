// Calls /v1. Every problem is thrown as a Refusal with code, title, detail and remedy.

export class Refusal extends Error {
  constructor(problem) {
    super(problem.title);
    this.problem = problem;
  }
}

// The API key, where one is required: stored until the tab is closed.
export const key = {
  get: () => sessionStorage.getItem("key") ?? "",
  set: (text) => sessionStorage.setItem("key", text),
};

const AWAY = {
  title: "The service does not respond",
  detail: "It may be starting, stopped or unreachable.",
  remedy: "Try again in a moment.",
};

const FIRST_MS = 100;
const LONGEST_MS = 1000;

// XMLHttpRequest, because fetch does not report upload progress.
export function upload(form, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const refuse = () => reject(refusal(request.responseText));
    request.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
    request.onload = () => (request.status < 300 ? resolve(JSON.parse(request.responseText)) : refuse());
    request.onerror = () => reject(new Refusal(AWAY));
    signal.addEventListener("abort", () => {
      request.abort();
      reject(signal.reason);
    });
    request.open("POST", "/v1/images");
    for (const [name, value] of Object.entries(credentials())) request.setRequestHeader(name, value);
    request.send(form);
  });
}

export async function untilEnded(item, onChange, signal) {
  for (let pause = FIRST_MS; !["succeeded", "failed"].includes(item.state); pause = Math.min(pause * 1.3, LONGEST_MS)) {
    onChange(item);
    await sleep(pause, signal);
    item = await (await call(item.links.self, { signal })).json();
  }
  if (item.state === "failed") throw new Refusal(item.error);
  return item;
}

export async function content(item, signal) {
  return (await call(item.links.content, { signal })).blob();
}

export const remove = (item) => call(item.links.self, { method: "DELETE" });

export const methods = async () => (await call("/v1/methods", {})).json();
export const limits = async () => (await call("/v1/limits", {})).json();

async function call(address, options) {
  let response;
  try {
    response = await fetch(address, { ...options, headers: credentials() });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Refusal(AWAY);
  }
  if (!response.ok) throw refusal(await response.text());
  return response;
}

const credentials = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

function refusal(text) {
  try {
    return new Refusal(JSON.parse(text));
  } catch {
    return new Refusal(AWAY); // a proxy in between answered, not the service
  }
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
