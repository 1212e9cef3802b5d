// What a page needs beside its uploader: a token, and what becomes of an upload.
import { Client } from "/lib/photoward-client.js";

const KEPT = "photoward";
/** For at least so long a token must hold when a new upload begins. */
export const FOR_UPLOAD_MS = 15 * 60_000;

/** `{ url, token }`: the one of this tab while it holds, so that an upload goes on after a reload. */
export async function access(forMs = 0) {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  if (kept && Date.parse(kept.expires_at) > Date.now() + forMs) return kept;
  const answer = await fetch("/upload-token", { method: "POST" });
  if (!answer.ok) throw new Error(`The site gives no upload token: ${await answer.text()}.`);
  const made = await answer.json();
  sessionStorage.setItem(KEPT, JSON.stringify(made));
  return made;
}

/** The address of the service; shows why there is none. */
export async function endpoint() {
  const { url } = await access().catch((error) => {
    show("No uploads at the moment", error.message);
    throw error;
  });
  return `${url}/v1/uploads`;
}

/** Before each request of tus: with a token that holds. */
export async function authorize(request) {
  const { token } = await access();
  request.setHeader("Authorization", `Bearer ${token}`);
}

/** After an error of tus: whether another token helps; a begun upload then starts anew. */
export function renews(error) {
  const expired = error.originalResponse?.getStatus() === 401;
  if (expired) sessionStorage.removeItem(KEPT);
  return expired;
}

/** The protected file of a finished upload, as a Blob. */
export async function protectedFile(uploadUrl, options = {}) {
  const { url, token } = await access();
  const client = new Client(url, token);
  const item = await client.submit({ upload: uploadUrl.split("/").at(-1) }, options);
  const ended = await client.wait(item.id);
  if (ended.state !== "succeeded") throw new Error(words(ended.error) ?? "It was canceled.");
  return client.download(item.id);
}

/** A problem of the service as a sentence; undefined: it is none. */
export function words(problem) {
  return [problem?.title, problem?.detail, problem?.remedy].filter(Boolean).join(" ") || undefined;
}

/** What the service said to an upload that failed. */
export function reason(error, text) {
  try {
    return words(JSON.parse(text)) ?? error.message;
  } catch {
    return error.message;
  }
}

/** Show a photo, or why there is none. */
export function show(name, content) {
  const item = document.createElement("li");
  if (content instanceof Blob) {
    const link = item.appendChild(document.createElement("a"));
    link.href = URL.createObjectURL(content);
    link.download = `protected-${name}`;
    link.appendChild(new Image()).src = link.href;
    link.firstChild.alt = `${name}, protected`;
  } else {
    item.textContent = `${name}: ${content}`;
    item.className = "refused";
  }
  document.getElementById("photos").append(item);
}
