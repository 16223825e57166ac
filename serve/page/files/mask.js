// A mask that is painted over an image: which of its pixels are drawn anew.

const paint = [255, 109, 0]; // orange: neither black, white, nor often an image's colour

/** A mask of the size of a model's images. */
export class Mask {
  /**
   * @param {HTMLCanvasElement} canvas over the image, a pixel of it for each pixel of the image
   * @param {() => {size: number, erase: boolean}} brush
   * @param {() => void} changed
   */
  constructor(canvas, brush, changed) {
    this.canvas = canvas;
    this.brush = brush;
    this.changed = changed;
    this.width = 1;
    this.height = 1;
    this.painted = new Uint8Array(1); // 1: drawn anew; row by row
    this.#listen();
  }

  /**
   * Begins an empty mask.
   * @param {number} width
   * @param {number} height
   */
  setSize(width, height) {
    this.canvas.width = this.width = width;
    this.canvas.height = this.height = height;
    this.painted = new Uint8Array(width * height);
    this.#draw();
  }

  /**
   * Sets the pixels that a test chooses.
   * @param {(x: number, y: number) => boolean} inside
   * @param {boolean} on
   */
  set(inside, on) {
    for (let i = 0; i < this.painted.length; i++) {
      if (inside(i % this.width, Math.floor(i / this.width))) this.painted[i] = Number(on);
    }
    this.#draw();
  }

  /** Clears it. */
  clear() {
    this.set(() => true, false);
  }

  /**
   * Paints one half, and nothing else.
   * @param {string} half upper, lower, left or right
   */
  half(half) {
    const { width, height } = this;
    this.painted.fill(0);
    this.set({
      upper: (_, /** @type {number} */ y) => y < height / 2,
      lower: (_, /** @type {number} */ y) => y >= height / 2,
      left: (/** @type {number} */ x) => x < width / 2,
      right: (/** @type {number} */ x) => x >= width / 2,
    }[half] ?? (() => false), true);
  }

  /**
   * @param {(x: number, y: number) => boolean} inside
   * @returns {number} the painted share of the pixels that a test chooses
   */
  share(inside = () => true) {
    let all = 0, on = 0;
    this.painted.forEach((value, i) => {
      if (!inside(i % this.width, Math.floor(i / this.width))) return;
      all++;
      on += value;
    });
    return all === 0 ? 0 : on / all;
  }

  /** @returns {string} data URL of a PNG that is white where the image is drawn anew */
  url() {
    return this.#picture((on) => [on ? 255 : 0, on ? 255 : 0, on ? 255 : 0, 255])
      .toDataURL("image/png");
  }

  #draw() {
    const picture = this.#picture((on) => [...paint, on ? 255 : 0]);
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    context.clearRect(0, 0, this.width, this.height);
    context.drawImage(picture, 0, 0);
    this.changed();
  }

  /**
   * @param {(on: boolean) => number[]} colour red, green, blue, opacity
   * @returns {HTMLCanvasElement}
   */
  #picture(colour) {
    const canvas = document.createElement("canvas");
    canvas.width = this.width;
    canvas.height = this.height;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const pixels = context.createImageData(this.width, this.height);
    this.painted.forEach((on, i) => pixels.data.set(colour(on === 1), 4 * i));
    context.putImageData(pixels, 0, 0);
    return canvas;
  }

  #listen() {
    /** @type {{x: number, y: number}|null} where the brush was */
    let last = null;
    const stroke = (/** @type {PointerEvent} */ event) => {
      const here = this.#place(event);
      this.#stroke(last ?? here, here);
      last = here;
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.canvas.setPointerCapture(event.pointerId);
      stroke(event);
    });
    this.canvas.addEventListener("pointermove", (event) => last && stroke(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, () => { last = null; });
    }
  }

  /**
   * @param {PointerEvent} event
   * @returns {{x: number, y: number}} in pixels of the image, with fractions
   */
  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: (event.clientX - box.left) / box.width * this.width,
      y: (event.clientY - box.top) / box.height * this.height,
    };
  }

  /**
   * Draws the brush along a line.
   * @param {{x: number, y: number}} from
   * @param {{x: number, y: number}} to
   */
  #stroke(from, to) {
    const { size, erase } = this.brush();
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = dx * dx + dy * dy;
    this.set((x, y) => {
      const [px, py] = [x + 0.5 - from.x, y + 0.5 - from.y];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      // The pixel under the brush is painted however thin the brush is.
      return Math.hypot(px - along * dx, py - along * dy) <= Math.max(size / 2, Math.SQRT1_2);
    }, !erase);
  }
}
