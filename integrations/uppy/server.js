// The site: its pages, and upload tokens for them. The API key stays here.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { Client } from "photoward-client";

const {
  PHOTOWARD_URL = "http://127.0.0.1:8080",
  PHOTOWARD_KEY = "",
  PORT = "3000",
  TOKEN_SECONDS = "3600",
} = process.env;
const TOKEN = { max_images: 20, expires_in_seconds: Number(TOKEN_SECONDS) };
const FILES = {
  "/": "public/uppy.html",
  "/uppy.js": "public/uppy.js",
  "/tus.html": "public/tus.html",
  "/tus.js": "public/tus.js",
  "/photoward.js": "public/photoward.js",
  "/lib/photoward-client.js": "node_modules/photoward-client/index.js",
  "/lib/tus.js": "node_modules/tus-js-client/dist/tus.min.js",
  "/lib/uppy.js": "node_modules/uppy/dist/uppy.min.mjs",
  "/lib/uppy.css": "node_modules/uppy/dist/uppy.min.css",
};
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript" };

const photoward = new Client(PHOTOWARD_URL, PHOTOWARD_KEY, { timeoutS: 10 });

/** A token for this visitor: put your own check of who may upload here. */
async function token() {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(TOKEN);
  const made = await photoward.json("POST", "/v1/upload-tokens", { headers, body });
  return JSON.stringify({ url: PHOTOWARD_URL, token: made.token, expires_at: made.expires_at });
}

async function answer({ method, url }) {
  if (method === "POST" && url === "/upload-token") return [200, "application/json", await token()];
  const file = method === "GET" && FILES[url];
  if (!file) return [404, "text/plain", "not found"];
  const type = TYPES[extname(url)] ?? TYPES[".html"];
  return [200, type, await readFile(new URL(file, import.meta.url))];
}

const server = createServer(async (request, response) => {
  const refused = (error) => [503, "text/plain", (console.error(error.message), "try again later")];
  const [status, type, body] = await answer(request).catch(refused);
  response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/`));
