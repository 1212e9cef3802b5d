// Compiled, not run: the types are those that a program meets.
import {
  Client,
  InvalidSignatureError,
  PhotowardError,
  RefusedError,
  UnavailableError,
  verifyWebhook,
  type Item,
} from "photoward-client";

const client = new Client("http://127.0.0.1:8080", "", { timeoutS: 5, retries: 1 });

export async function use(file: File, bytes: Uint8Array): Promise<string> {
  const { content, headers } = await client.protect(bytes, { preset: "strong", sizes: [320] });
  const item: Item = await client.submit(file, { idempotencyKey: "once", label: "cat" });
  await client.submit({ upload: "u1" });
  const ended = await client.wait(item.id, 20);
  const protectedFile: Blob = await client.download(ended.id, { size: 320 });
  for await (const [name, end] of client.batch([["a", file]] as [string, File][])) {
    const state: string = end instanceof RefusedError ? end.code : end.state;
    console.log(name, state);
  }
  await client.delete(item.id);
  const message = await verifyWebhook(bytes, headers, "whsec_AAAA", { toleranceS: 60 });
  return `${content.type} ${protectedFile.size} ${message.type}`;
}

export function words(error: unknown): [boolean, number | null] {
  if (error instanceof UnavailableError || error instanceof InvalidSignatureError) return [true, 1];
  return error instanceof PhotowardError ? [error.passing, error.retryAfterS] : [false, null];
}

// @ts-expect-error: a path is no photo
client.protect("photo.jpg");
// @ts-expect-error: a source is an upload, a URL or a key
client.submit({ path: "photo.jpg" });
// @ts-expect-error: the limit is in seconds and named so
new Client("http://127.0.0.1:8080", "", { timeout: 5 });
