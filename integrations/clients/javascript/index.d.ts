/** A photo: bytes, a `Blob`, or a page's `File`, whose name is sent along. */
export type Photo = Blob | ArrayBuffer | ArrayBufferView;

/** What the service has already, or fetches itself where it may: an upload, a URL, a bucket's key. */
export type Source = { upload: string } | { url: string } | { key: string };

/** Options of the API: `preset`, `label`, `sizes`, `reference`, … */
export type Options = Record<string, unknown>;

export interface SubmitOptions extends Options {
  /** The photo's name; default: that of a `File`. */
  name?: string;
  /** The same key gives the same item; default: a new one. */
  idempotencyKey?: string;
}

export interface Limits {
  /** Seconds that a call may take, its retries included; default: 60. */
  timeoutS?: number;
  /** How often a call is repeated; default: 5. */
  retries?: number;
  /** Ends all calls of the client with its reason. */
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  headers: Headers;
  /** Its `type` is the answer's media type. */
  content: Blob;
}

/** An image as `GET /v1/images/{id}` shows it. */
export interface Item {
  id: string;
  state: "queued" | "processing" | "succeeded" | "failed" | "canceled";
  [field: string]: unknown;
}

export interface WebhookMessage {
  type: string;
  data: Record<string, unknown>;
  [field: string]: unknown;
}

export interface Request {
  body?: BodyInit;
  headers?: Record<string, string>;
  query?: Options;
}

export class Client {
  constructor(url: string, key?: string, limits?: Limits);
  /** Rejects with `RefusedError` or `UnavailableError`, as all calls do. */
  protect(image: Photo, options?: Options): Promise<Answer>;
  submit(image: Photo | Source, options?: SubmitOptions): Promise<Item>;
  /** Rejects with `UnavailableError` after `timeoutS` seconds; default: 300. */
  wait(id: string, timeoutS?: number): Promise<Item>;
  download(id: string, options?: Options): Promise<Blob>;
  delete(id: string): Promise<void>;
  batch(
    images: Iterable<[string, Photo]> | AsyncIterable<[string, Photo]>,
    options?: Options,
  ): AsyncGenerator<[string, Item | RefusedError], void, void>;
  json(method: string, path: string, more?: Request): Promise<any>;
  request(method: string, path: string, more?: Request): Promise<Answer>;
}

export class PhotowardError extends Error {
  /** Whether the same call may succeed later. */
  passing: boolean;
  /** Seconds after which the service asks to try again. */
  retryAfterS: number | null;
}

export class UnavailableError extends PhotowardError {}

export class RefusedError extends PhotowardError {
  status: number;
  /** The problem's stable code; empty: the answer was none of the service. */
  code: string;
  /** The problem's members (RFC 9457). */
  problem: Record<string, unknown>;
}

export class InvalidSignatureError extends PhotowardError {}

/** Rejects with `InvalidSignatureError`. */
export function verifyWebhook(
  body: string | ArrayBuffer | ArrayBufferView,
  headers: Headers | Record<string, string | string[] | undefined>,
  secret: string,
  limits?: { toleranceS?: number },
): Promise<WebhookMessage>;
