// Images in a list, each a button that opens it. Their places are laid before they come, so that
// nothing moves.

import { copyOf } from "./dom.js";

/** Widths of a tile, by how many there are at most. */
const widths = [[8, "11rem"], [16, "8rem"], [64, "5.5rem"], [Infinity, "3.5rem"]];

/** A list of images. */
export class Gallery {
  /**
   * @param {HTMLElement} list a <ul>
   * @param {(index: number) => void} open told which image was clicked
   */
  constructor(list, open) {
    this.list = list;
    this.open = open;
    /** @type {HTMLLIElement[]} */
    this.tiles = [];
  }

  /**
   * Lays empty places for images.
   * @param {number} count
   * @param {number} ratio width by height
   */
  lay(count, ratio) {
    const [, width] = /** @type {[number, string]} */ (widths.find(([most]) => count <= most));
    this.list.style.setProperty("--tile", width);
    this.list.style.setProperty("--ratio", String(ratio));
    this.tiles = Array.from({ length: count }, (_, index) => {
      const tile = copyOf("tile-template");
      tile.firstElementChild.addEventListener("click", () => this.open(index));
      return tile;
    });
    this.list.replaceChildren(...this.tiles);
  }

  /**
   * Shows an image, or a state on its way.
   * @param {number} index
   * @param {string} url
   * @param {string} alt what the image shows
   */
  show(index, url, alt) {
    const image = this.tiles[index]?.querySelector("img");
    if (!image) return;
    image.src = url;
    image.alt = alt;
  }

  /**
   * Lets an image be opened, now that it is whole.
   * @param {number} index
   */
  finish(index) {
    const button = this.tiles[index]?.querySelector("button");
    if (button) button.disabled = false;
  }
}
