"use strict";

/**
 * Protects every picture after PicGo has read it and before any of its uploaders gets it. If one
 * cannot be protected nothing of the call is uploaded, unless the setting `unprotected` permits it.
 */

const NAME = "picgo-plugin-photoward";
const EXTENSIONS = { "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp" };
const PRESETS = ["", "subtle", "standard", "strong", "hosted", "maximum"];

/** The settings, and how PicGo asks for them. */
const config = (ctx) => {
  const { url, key, preset, label, timeoutS, unprotected } = settings(ctx);
  return [
    field("url", "input", url, "Address of the Photoward service"),
    field("key", "password", key, "API key, if the service asks for one"),
    field("preset", "list", preset, "How strong; empty: as the service has it", { choices: PRESETS }),
    field("label", "input", label, "What your photos show; empty: the service finds out"),
    field("timeoutS", "input", timeoutS, "Seconds that a picture may take"),
    field("unprotected", "list", unprotected, "A picture that cannot be protected", {
      choices: ["refuse", "upload"],
    }),
  ];
};

const DEFAULTS = {
  url: "http://127.0.0.1:8080",
  key: "",
  preset: "",
  label: "",
  timeoutS: "60",
  unprotected: "refuse",
};

function field(name, type, value, message, more = {}) {
  return { name, type, message, default: value, required: name === "url", ...more };
}

function settings(ctx) {
  return { ...DEFAULTS, ...ctx.getConfig(NAME) };
}

/** Protect all pictures of a call, each in place. Throws if one cannot be. */
async function handle(ctx) {
  const chosen = settings(ctx);
  const ends = await protectAll(ctx.output, chosen);
  const failed = ends.filter(({ status }) => status === "rejected");
  const told = `Photoward: ${failed.map(({ reason }) => reason.message).join(" ")}`;
  if (failed.length && chosen.unprotected !== "upload") {
    ctx.emit("notification", { title: "Not uploaded", body: told });
    throw new Error(`${told} Nothing was uploaded.`);
  }
  if (failed.length) ctx.log.warn(`${told} Uploaded without protection.`);
  ends.forEach(({ value }, at) => Object.assign(ctx.output[at], value));
}

/** How each picture ended: what of it changes, or why it is not protected. */
async function protectAll(pictures, chosen) {
  const { Client } = await import("photoward-client");
  const timeoutS = Number(chosen.timeoutS) || Number(DEFAULTS.timeoutS);
  const options = { already_protected: "pass", ...given(chosen, "preset", "label") };
  const end = async (picture) =>
    protect(new Client(chosen.url, chosen.key, { timeoutS }), picture, options);
  return Promise.allSettled(pictures.map(end));
}

/** What of a picture changes by its protection. */
async function protect(client, picture, options) {
  const { fileName = "picture" } = picture;
  try {
    const { content } = await client.protect(bytesOf(picture), options);
    const { type } = content;
    const buffer = Buffer.from(await content.arrayBuffer());
    const changes = { buffer, base64Image: undefined, contentType: type, mimeType: type };
    return { ...changes, size: buffer.length, ...names(fileName, picture.extname, type) };
  } catch (error) {
    throw new Error(`${fileName} cannot be protected: ${error.message}`, { cause: error });
  }
}

function bytesOf({ buffer, base64Image }) {
  if (buffer) return buffer;
  if (base64Image) return Buffer.from(base64Image.replace(/^data:[^,]*,/, ""), "base64");
  throw new Error("PicGo has not read it.");
}

/** File name and extension, of another format where the service answers with one. */
function names(fileName, extname, type) {
  const wanted = EXTENSIONS[type];
  const is = (extname ?? "").toLowerCase().replace(".jpeg", ".jpg").replace(".jfif", ".jpg");
  if (!wanted || is === wanted) return {};
  const hasOld = extname && fileName.endsWith(extname);
  const stem = hasOld ? fileName.slice(0, -extname.length) : fileName;
  return { extname: wanted, fileName: stem + wanted };
}

function given(chosen, ...options) {
  return Object.fromEntries(options.map((name) => [name, chosen[name]]).filter(([, value]) => value));
}

module.exports = (ctx) => ({
  register: () => ctx.helper.beforeUploadPlugins.register("photoward", { handle, config }),
  config,
});
