// The client against a running service, at PHOTOWARD_URL, with the photo PHOTOWARD_PHOTO (PNG).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Client, RefusedError } from "photoward-client";

const client = new Client(process.env.PHOTOWARD_URL);
const PHOTO = readFileSync(process.env.PHOTOWARD_PHOTO);

/** Width and height in the header of a PNG. */
async function size(blob) {
  const bytes = Buffer.from(await blob.arrayBuffer());
  assert.equal(bytes.subarray(1, 4).toString(), "PNG");
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}

test("a photo comes back protected", async () => {
  const answer = await client.protect(PHOTO, { label: "cat" });
  assert.equal(answer.content.type, "image/png");
  assert.deepEqual(await size(answer.content), [96, 96]);
  const bytes = Buffer.from(await answer.content.arrayBuffer());
  assert.ok(!bytes.equals(PHOTO));
  assert.ok(answer.headers.get("photoward-method"));
});

test("a photo is submitted, waited for, fetched and deleted", async () => {
  const file = new File([PHOTO], "café.png");
  const options = { idempotencyKey: "once", sizes: [64] };
  const item = await client.submit(file, options);
  assert.equal((await client.submit(file, options)).id, item.id);
  const ended = await client.wait(item.id);
  assert.equal(ended.state, "succeeded");
  assert.equal(ended.source.filename, "café.png");
  assert.deepEqual(await size(await client.download(item.id, { size: 64 })), [64, 64]);
  await client.delete(item.id);
  await assert.rejects(client.wait(item.id), (error) => error.status === 404);
});

test("a batch tells each photo's end", async () => {
  async function* photos() {
    yield ["a.png", PHOTO];
    yield ["b.png", new Blob(["no picture"])];
    yield ["c.png", new Blob([PHOTO], { type: "image/png" })];
  }
  const ends = [];
  for await (const end of client.batch(photos(), { name: "holiday", label: "cat" })) ends.push(end);
  assert.deepEqual(ends.map(([name]) => name), ["a.png", "b.png", "c.png"]);
  const [a, b, c] = ends.map(([, end]) => end);
  assert.ok(b instanceof RefusedError);
  assert.equal(b.code, "not_an_image");
  for (const item of [a, c]) {
    assert.deepEqual([item.state, item.label_used], ["succeeded", "cat"]);
  }
});

test("many are protected at once", async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => client.protect(PHOTO)));
  for (const { content } of answers) assert.deepEqual(await size(content), [96, 96]);
});
