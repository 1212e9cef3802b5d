import { Dashboard, Tus, Uppy } from "/lib/uppy.js";
import {
  access, authorize, endpoint, FOR_UPLOAD_MS, protectedFile, reason, renews, show,
} from "/photoward.js";

const where = await endpoint(); // before anything can be chosen
const uppy = new Uppy({ autoProceed: true, restrictions: { allowedFileTypes: ["image/*"] } })
  .use(Dashboard, { inline: true, target: "#uppy", width: "100%", height: 350 })
  .use(Tus, {
    endpoint: where,
    onBeforeRequest: authorize,
    onShouldRetry: (error, attempt, options, next) => renews(error) || next(error),
    removeFingerprintOnSuccess: true,
    allowedMetaFields: ["name", "type"],
  });

uppy.addPreProcessor(() => access(FOR_UPLOAD_MS));
uppy.on("upload-success", async (file, { uploadURL }) => {
  show(file.name, await protectedFile(uploadURL).catch((error) => error.message));
});
uppy.on("upload-error", (file, error, response) => {
  show(file.name, reason(error, response?.body?.xhr?.responseText));
});
