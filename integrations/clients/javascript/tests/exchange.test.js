// What the client does with answers that are not a picture: over HTTP, with scripted servers.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";

import {
  Client,
  InvalidSignatureError,
  RefusedError,
  UnavailableError,
  verifyWebhook,
} from "photoward-client";

const PHOTO = new TextEncoder().encode("photo");
const PROBLEM = JSON.stringify({
  title: "The queue is full", code: "queue_full", remedy: "Try again later.",
});
const SECRET = `whsec_${"QUFB".repeat(10)}`;

/** A server that gives one reply after the other, the last one for good. */
async function answering(t, ...replies) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const reply = replies.length > 1 ? replies.shift() : replies[0];
    const parts = [];
    for await (const part of request) parts.push(part);
    seen.push({ url: request.url, body: Buffer.concat(parts).toString(), headers: request.headers });
    const { status = 200, headers = { "Content-Type": "image/png" }, body = "picture" } = reply;
    response.writeHead(status, headers);
    response.write(body);
    if (reply.breaks) setTimeout(() => response.destroy(), 50);
    else setTimeout(() => response.end(), reply.delayMs ?? 0);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => (server.closeAllConnections(), server.close()));
  return { url: `http://127.0.0.1:${server.address().port}`, seen };
}

function full(retryAfter, status = 429) {
  const headers = { "Content-Type": "application/problem+json", "Retry-After": retryAfter };
  return { status, body: PROBLEM, headers };
}

test("a full service is asked again when it says", async (t) => {
  const { url, seen } = await answering(t, full("1"), full("0", 503), {});
  const began = performance.now();
  const answer = await new Client(url, "a-key").protect(PHOTO, { preset: "strong", sizes: [2, 1] });
  assert.ok(performance.now() - began >= 990);
  assert.equal(await answer.content.text(), "picture");
  assert.equal(answer.content.type, "image/png");
  assert.equal(seen.length, 3);
  for (const one of seen) {
    assert.equal(one.url, "/v1/protect?preset=strong&sizes=2%2C1");
    assert.equal(one.body, "photo");
    assert.equal(one.headers.authorization, "Bearer a-key");
    assert.equal(one.headers["content-type"], "application/octet-stream");
  }
});

test("retries are counted", async (t) => {
  const { url, seen } = await answering(t, full("0"));
  const asked = new Client(url, "", { retries: 2 }).protect(PHOTO);
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof RefusedError);
    assert.match(error.message, /^HTTP 429: The queue is full\. Try again later\.$/);
    assert.deepEqual([error.status, error.code, error.passing], [429, "queue_full", true]);
    return true;
  });
  assert.equal(seen.length, 3);
});

test("who shall wait longer than there is time is told at once", async (t) => {
  const { url, seen } = await answering(t, full("30"));
  await assert.rejects(new Client(url, "", { timeoutS: 5 }).protect(PHOTO), RefusedError);
  assert.equal(seen.length, 1);
});

for (const [status, code] of [[422, "corrupt"], [401, "unauthenticated"], [429, "over_quota"]]) {
  test(`${code} is not repeated`, async (t) => {
    const reply = { ...full("0", status), body: JSON.stringify({ code, title: "No" }) };
    const { url, seen } = await answering(t, reply);
    const asked = new Client(url).protect(PHOTO);
    await assert.rejects(asked, (error) => error.code === code && !error.passing);
    assert.equal(seen.length, 1);
  });
}

const NO_PICTURES = {
  accepted: { status: 202, body: "{}", headers: { "Content-Type": "application/json" } },
  page: { body: "<html>", headers: { "Content-Type": "text/html" } },
  truncated: { headers: { "Content-Type": "image/png", "Content-Length": "99" }, breaks: true },
  slow: { delayMs: 5000 },
};
for (const [name, reply] of Object.entries(NO_PICTURES)) {
  test(`what is ${name} is no picture`, async (t) => {
    const { url } = await answering(t, reply);
    const client = new Client(url, "", { retries: 0, timeoutS: 1 });
    await assert.rejects(client.protect(PHOTO), UnavailableError);
  });
}

test("a broken connection is tried again", async (t) => {
  const { url, seen } = await answering(t, NO_PICTURES.truncated, {});
  const answer = await new Client(url).protect(PHOTO);
  assert.equal(await answer.content.text(), "picture");
  assert.equal(seen.length, 2);
});

test("the key follows no redirect", async (t) => {
  const elsewhere = await answering(t, {});
  const moved = { status: 302, body: "", headers: { Location: elsewhere.url } };
  const { url } = await answering(t, moved);
  const asked = new Client(url, "a-key").protect(PHOTO);
  await assert.rejects(asked, (error) => error.message.includes(elsewhere.url) && !error.passing);
  assert.equal(elsewhere.seen.length, 0);
});

test("nobody there is unavailable", async () => {
  const client = new Client("http://127.0.0.1:9", "", { retries: 1 });
  await assert.rejects(client.protect(PHOTO), (error) => error instanceof UnavailableError);
});

test("a signal ends a call with its reason, also while it waits", async (t) => {
  const { url, seen } = await answering(t, full("20"));
  const signal = AbortSignal.timeout(300);
  await assert.rejects(new Client(url, "", { signal }).protect(PHOTO), { name: "TimeoutError" });
  await assert.rejects(new Client(url, "", { signal }).protect(PHOTO), { name: "TimeoutError" });
  assert.equal(seen.length, 1);
});

test("one batch, whose passing refusals end it", async (t) => {
  const made = { status: 201, body: '{"id": "b1"}' };
  const { url, seen } = await answering(t, made, full("0"));
  const ends = new Client(url, "", { retries: 0 }).batch([["a", PHOTO], ["b", PHOTO]], { label: "x" });
  await assert.rejects(ends.next(), (error) => error.status === 429);
  assert.deepEqual(seen.map((one) => one.url), ["/v1/batches?label=x", "/v1/images?batch=b1"]);
});

test("names of any kind are sent", async (t) => {
  const { url, seen } = await answering(t, { status: 202, body: "{}" });
  await new Client(url).submit(PHOTO, { name: "a'b (1)é\ud800.png" });
  const sent = "attachment; filename*=UTF-8''a%27b%20%281%29%C3%A9%EF%BF%BD.png";
  assert.equal(seen[0].headers["content-disposition"], sent);
});

test("a source is sent as JSON", async (t) => {
  const { url, seen } = await answering(t, { status: 202, body: "{}" });
  await new Client(url).submit({ upload: "u1" }, { label: "cat" });
  assert.deepEqual(JSON.parse(seen[0].body), { upload: "u1", label: "cat" });
  assert.equal(seen[0].headers["content-type"], "application/json");
});

for (const url of ["photos.example", "ftp://a", "http://user@host", "http://", "https://:p@host"]) {
  test(`the address ${url} is refused`, () => assert.throws(() => new Client(url), TypeError));
}

test("what is no photo is refused before it is sent", async () => {
  await assert.rejects(new Client("http://127.0.0.1:9").protect("a path"), TypeError);
});

function message(stamp = Math.floor(Date.now() / 1000)) {
  const body = '{"type": "image.succeeded"}';
  const key = Buffer.from(SECRET.slice(6), "base64");
  const signature = createHmac("sha256", key).update(`msg_1.${stamp}.${body}`).digest("base64");
  const headers = { "webhook-id": "msg_1", "webhook-timestamp": `${stamp}` };
  return [body, { ...headers, "webhook-signature": `v1,${signature}` }];
}

test("a signed message is read", async () => {
  const [body, headers] = message();
  const read = { type: "image.succeeded" };
  assert.deepEqual(await verifyWebhook(body, headers, SECRET), read);
  assert.deepEqual(await verifyWebhook(Buffer.from(body), new Headers(headers), SECRET), read);
  const both = `v1,bm90IHRoaXMgb25l ${headers["webhook-signature"]}`; // while a secret is replaced
  assert.ok(await verifyWebhook(body, { ...headers, "webhook-signature": both }, SECRET));
});

for (const spoilt of [
  { "webhook-id": "msg_2" },
  { "webhook-timestamp": "1" },
  { "webhook-timestamp": "soon" },
  { "webhook-signature": "" },
  { "webhook-signature": "v1,!" },
]) {
  test(`a message with ${JSON.stringify(spoilt)} is not`, async () => {
    const [body, headers] = message();
    const read = verifyWebhook(body, { ...headers, ...spoilt }, SECRET);
    await assert.rejects(read, InvalidSignatureError);
  });
}

test("an old message is not read again", async () => {
  const [body, headers] = message(Math.floor(Date.now() / 1000) - 400);
  await assert.rejects(verifyWebhook(body, headers, SECRET), /too old/);
  assert.ok(await verifyWebhook(body, headers, SECRET, { toleranceS: 500 }));
});

test("no message is verified with what is no secret", async () => {
  for (const secret of ["", "whsec_", "whsec_é"]) {
    await assert.rejects(verifyWebhook(...message(), secret), TypeError);
  }
});
