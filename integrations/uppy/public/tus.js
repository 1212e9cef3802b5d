import {
  access, authorize, endpoint, FOR_UPLOAD_MS, protectedFile, reason, renews, show,
} from "/photoward.js";

const where = await endpoint();
const input = document.getElementById("file");
input.addEventListener("change", async () => {
  const [file] = input.files;
  await access(FOR_UPLOAD_MS);
  const upload = new tus.Upload(file, {
    endpoint: where,
    metadata: { filename: file.name, filetype: file.type },
    retryDelays: [0, 1000, 3000, 5000],
    removeFingerprintOnSuccess: true,
    onBeforeRequest: authorize,
    onShouldRetry: (error) => renews(error) || isPassing(error),
    onProgress: (sent, total) => (document.getElementById("progress").value = sent / total),
    onError: (error) => show(file.name, reason(error, error.originalResponse?.getBody())),
    onSuccess: async () =>
      show(file.name, await protectedFile(upload.url).catch((error) => error.message)),
  });
  const [begun] = await upload.findPreviousUploads();
  if (begun) upload.resumeFromPreviousUpload(begun);
  upload.start();
});

input.disabled = false;

function isPassing(error) {
  const status = error.originalResponse?.getStatus() ?? 0;
  return status < 400 || status >= 500 || [409, 423, 429].includes(status);
}
