// Pictures of a person's own. The page cuts the middle out of them, in the proportions of the
// model's images, so that what is seen is what is sent; the server brings them to the model's size.

const longest = 1024; // pixels of a side that is sent

/**
 * Reads a picture as the subject of a panel.
 * @param {File} file
 * @param {import("./models.js").Model} model
 * @returns {Promise<import("./panel.js").Subject>}
 */
export async function readPicture(file, model) {
  const url = cut(await decode(file), model.width / model.height);
  return {
    url,
    title: file.name,
    alt: `Your picture ${file.name}`,
    model: model.id,
    className: null,
    states: new Map(),
    steps: 0,
    save: null,
  };
}

/**
 * @param {File} file
 * @returns {Promise<ImageBitmap>}
 */
async function decode(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not a picture that this browser can read: choose a PNG or a JPEG.`);
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} ratio width by height
 * @returns {string} data URL of a PNG
 */
function cut(bitmap, ratio) {
  const width = Math.min(bitmap.width, bitmap.height * ratio);
  const height = width / ratio;
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, (bitmap.width - width) / 2, (bitmap.height - height) / 2, width, height,
    0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

/**
 * Makes dark what is light, and light what is dark; what is transparent stays so.
 * @param {HTMLImageElement} image that is loaded
 * @returns {string} data URL of a PNG
 */
export function inverted(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i++) {
    if (i % 4 !== 3) pixels.data[i] = 255 - pixels.data[i];
  }
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/png");
}
