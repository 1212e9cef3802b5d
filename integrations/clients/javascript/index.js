/**
 * A client of Photoward's REST API for Node and browsers, of what both have by themselves.
 *
 * A call is repeated after 429 and 503, as `Retry-After` says, and after a broken connection, until
 * its time or its retries are used up. No repetition makes a second photo. Redirects are not
 * followed, so that the API key goes to no other address. Options are the API's: `preset`, …
 */

const FINAL = ["succeeded", "failed", "canceled"];
const PASSING = [429, 502, 503, 504];

/** A call did not do what was asked. `passing`: the same call may succeed later. */
export class PhotowardError extends Error {
  name = this.constructor.name;
  passing = true;
  /** Seconds after which the service asks to try again. */
  retryAfterS = null;
}

/** The service cannot be reached, did not finish in time, or answered with no picture. */
export class UnavailableError extends PhotowardError {}

/** A webhook's message is not from the service, or too old. */
export class InvalidSignatureError extends PhotowardError {
  passing = false;
}

/** The service answered with a problem (RFC 9457): `status`, `code`, and its words. */
export class RefusedError extends PhotowardError {
  constructor({ status, headers }, problem) {
    const words = [problem.title, problem.detail, problem.remedy].filter(Boolean);
    super(`HTTP ${status}: ${words.map((word) => `${word}`.replace(/\.*$/, ".")).join(" ")}`);
    this.problem = problem;
    this.status = status;
    this.code = `${problem.code ?? ""}`;
    this.passing = PASSING.includes(status) && this.code !== "over_quota";
    const pause = headers.get("retry-after") ?? "";
    if (/^\d+$/.test(pause)) this.retryAfterS = Number(pause);
  }
}

/** A client; its calls may run at the same time. */
export class Client {
  #url; #key; #limits;

  /**
   * @param url the service's address, `https://HOST` or `http://HOST:PORT`, perhaps with a path
   * @param key an API key or an upload token; empty: none is sent
   * @param limits `timeoutS`: how long a call may take, its retries included; `retries`: how often
   *   it is repeated; `signal`: an AbortSignal that ends all calls
   */
  constructor(url, key = "", { timeoutS = 60, retries = 5, signal } = {}) {
    const parts = URL.canParse(url) ? new URL(url) : {};
    if (!["http:", "https:"].includes(parts.protocol) || parts.username || parts.password) {
      throw new TypeError("url is not like https://HOST or http://HOST:PORT, without a user");
    }
    if (!/^[ -~]*$/.test(key)) throw new TypeError("key is not an API key");
    this.#url = parts.origin + parts.pathname.replace(/\/+$/, "");
    this.#key = key;
    this.#limits = { timeoutS, retries, signal };
  }

  /** Send a photo and return the answer with the protected file; the service keeps neither. */
  async protect(image, options = {}) {
    const answer = await this.request("POST", "/v1/protect", { ...sent(image), query: options });
    const { type } = answer.content;
    if (answer.status === 200 && type.startsWith("image/")) return answer;
    throw new UnavailableError(`It answered ${answer.status} ${type}, no picture.`);
  }

  /**
   * Queue a photo and return its item; the same `idempotencyKey` gives the same item.
   *
   * In place of a photo: `{ upload }`, the id of an upload, or `{ url }` or `{ key }` to fetch.
   */
  async submit(image, { name = image.name ?? "photo", idempotencyKey, ...options } = {}) {
    const headers = { "Idempotency-Key": idempotencyKey ?? unique() };
    if (!isBytes(image)) {
      headers["Content-Type"] = "application/json";
      const body = JSON.stringify({ ...image, ...options });
      return this.json("POST", "/v1/images", { body, headers });
    }
    headers["Content-Disposition"] = `attachment; filename*=UTF-8''${quoted(name)}`;
    return this.json("POST", "/v1/images", { ...sent(image), headers, query: options });
  }

  /** The item when it has ended: `succeeded`, `failed` (see `error`) or `canceled`. */
  async wait(id, timeoutS = 300) {
    const until = performance.now() + 1000 * timeoutS;
    for (let pauseS = 0.1; ; pauseS = Math.min(1.5 * pauseS, 2)) {
      const item = await this.json("GET", `/v1/images/${id}`);
      if (FINAL.includes(item.state)) return item;
      if (performance.now() + 1000 * pauseS > until) {
        throw new UnavailableError(`Image ${id} has not ended in ${timeoutS} s.`);
      }
      await this.#sleep(pauseS);
    }
  }

  /** The protected file; `{ size: 320 }`: one of the requested sizes. */
  async download(id, options = {}) {
    return (await this.request("GET", `/v1/images/${id}/content`, { query: options })).content;
  }

  /** Delete a photo, its item and its files. */
  async delete(id) {
    await this.request("DELETE", `/v1/images/${id}`);
  }

  /**
   * Submit named photos as one batch, then yield each one's name and end, in this order.
   *
   * A photo that is refused at once yields the refusal; it does not stop the others.
   */
  async *batch(images, options = {}) {
    const headers = { "Idempotency-Key": unique() };
    const batch = await this.json("POST", "/v1/batches", { headers, query: options });
    const ends = [];
    for await (const [name, image] of images) {
      ends.push([name, await this.submit(image, { name, batch: batch.id }).catch(refusal)]);
    }
    for (const [name, end] of ends) {
      yield [name, end instanceof RefusedError ? end : await this.wait(end.id)];
    }
  }

  /** As `request`, for answers in JSON. */
  async json(method, path, more = {}) {
    return JSON.parse(await (await this.request(method, path, more)).content.text());
  }

  /** Send a request, repeated where that helps: `{ status, headers, content }`, a Blob. */
  async request(method, path, { body, headers = {}, query = {} } = {}) {
    const words = new URLSearchParams(Object.entries(query).map(([name, v]) => [name, word(v)]));
    const url = `${this.#url}${path}${words.size ? `?${words}` : ""}`;
    const all = { ...(this.#key && { Authorization: `Bearer ${this.#key}` }), ...headers };
    const sending = { method, body, headers: all, redirect: "manual", cache: "no-store" };
    const until = performance.now() + 1000 * this.#limits.timeoutS;
    for (let left = this.#limits.retries, pauseS = 0.5; ; left--, pauseS *= 2) {
      try {
        return await this.#exchange(url, sending, until - performance.now());
      } catch (error) {
        const waitS = error.retryAfterS ?? Math.min(pauseS, 8);
        const late = performance.now() + 1000 * waitS >= until;
        if (left <= 0 || !(error instanceof PhotowardError && error.passing) || late) throw error;
        await this.#sleep(waitS);
      }
    }
  }

  /** Send one request and read its whole answer. */
  async #exchange(url, sending, timeoutMs) {
    const { signal } = this.#limits;
    const late = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
    const ends = AbortSignal.any([late, ...(signal ? [signal] : [])]);
    let answer;
    try {
      const response = await fetch(url, { ...sending, signal: ends });
      const { status, headers } = response;
      answer = { status, headers, content: await response.blob() };
      if (response.ok) return answer;
    } catch (error) {
      signal?.throwIfAborted();
      const reason = error.cause?.message || error.message;
      throw new UnavailableError(`The service cannot be reached: ${reason}.`, { cause: error });
    }
    throw new RefusedError(answer, await problemIn(answer));
  }

  #sleep(seconds) {
    const { signal } = this.#limits;
    return new Promise((resolve, reject) => {
      const stop = () => (clearTimeout(timer), reject(signal.reason));
      const go = () => (signal?.removeEventListener("abort", stop), resolve());
      const timer = setTimeout(go, 1000 * seconds);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }
}

/**
 * The message of a webhook, signed as Standard Webhooks say; see its `type` and `data`.
 *
 * @param body as it arrived: text or bytes
 * @param headers a `Headers`, or an object as Node's `request.headers`
 * @param secret `whsec_…`
 */
export async function verifyWebhook(body, headers, secret, { toleranceS = 300 } = {}) {
  const found = new Headers(headers);
  const [id, stamp] = [found.get("webhook-id") ?? "", found.get("webhook-timestamp") ?? ""];
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${stamp}.${text}`);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const bytes = decoded(secret.replace(/^whsec_/, ""));
  if (!bytes.length) throw new TypeError("secret is not like whsec_…");
  const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
  const signatures = (found.get("webhook-signature") ?? "").split(" ");
  const proofs = signatures.map((one) => decoded(one.replace(/^v1,/, "")));
  const holds = proofs.map((proof) => crypto.subtle.verify("HMAC", key, proof, signed));
  if (!(await Promise.all(holds)).includes(true)) {
    throw new InvalidSignatureError("The signature is not the service's.");
  }
  if (!(Math.abs(Date.now() / 1000 - Number(stamp)) <= toleranceS)) {
    throw new InvalidSignatureError("The message is too old; or a clock is wrong.");
  }
  return JSON.parse(text);
}

function isBytes(image) {
  return image instanceof Blob || image instanceof ArrayBuffer || ArrayBuffer.isView(image);
}

/** Random; pages without TLS have no `randomUUID`. */
const unique = () => crypto.getRandomValues(new BigUint64Array(2)).join("-");

/** A photo as a body, whose type the service finds out by itself. */
function sent(image) {
  if (!isBytes(image)) throw new TypeError("a photo is a Blob, a File, or bytes");
  return { body: new Blob([image], { type: "application/octet-stream" }) };
}

/** An error that cannot pass is an end of a photo; any other is thrown. */
function refusal(error) {
  if (error instanceof RefusedError && !error.passing) return error;
  throw error;
}

/** A list with commas, an object or a list of them as JSON. */
function word(value) {
  const isList = Array.isArray(value) && !value.some((one) => one && typeof one === "object");
  return isList ? value.join(",") : typeof value === "string" ? value : JSON.stringify(value);
}

/** As RFC 8187 has it. */
function quoted(name) {
  const percent = (character) => `%${character.charCodeAt().toString(16)}`;
  return encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, percent);
}

/** Bytes; none of what is not base64. */
function decoded(base64) {
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(base64) && base64.length % 4 !== 1;
  return Uint8Array.from(isBase64 ? atob(base64) : "", (character) => character.charCodeAt());
}

async function problemIn({ status, headers, content }) {
  const title = status < 400 ? "The address leads elsewhere" : "";
  const other = { title, detail: headers.get("location") ?? "" };
  return content.text().then((text) => Object(JSON.parse(text))).catch(() => other);
}
