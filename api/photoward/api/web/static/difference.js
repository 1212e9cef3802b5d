// Draws after − before, enlarged, around mid grey.

const MOST_PIXELS = 4_000_000; // three copies of it are in memory for a moment

// Returns the canvas's size relative to the photo's, 1 where nothing was scaled down.
export async function drawDifference(before, after, canvas, gain) {
  const [a, b] = await Promise.all([before, after].map(upright));
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (a.width * a.height)));
  canvas.width = Math.max(1, Math.round(a.width * scale));
  canvas.height = Math.max(1, Math.round(a.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const from = samples(context, a);
  const to = samples(context, b);
  const shown = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < from.length; i += 1) {
    shown.data[i] = i % 4 === 3 ? 255 : 128 + gain * (to[i] - from[i]);
  }
  context.putImageData(shown, 0, 0);
  return scale;
}

// The protected file has its orientation applied; so must the original have, or they do not line up.
const upright = (file) => createImageBitmap(file, { imageOrientation: "from-image" });

function samples(context, bitmap) {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return context.getImageData(0, 0, width, height).data;
}
