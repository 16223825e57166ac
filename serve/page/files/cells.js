// Cells of a mask that are painted with the keyboard: a grid of buttons, of which the Tab key
// reaches one and arrow keys the others.

const side = 7; // cells of a row, and of a column, as panel.css lays them

/** Buttons for the cells of a mask. */
export class Cells {
  /**
   * @param {HTMLElement} place
   * @param {import("./mask.js").Mask} mask
   */
  constructor(place, mask) {
    this.mask = mask;
    this.buttons = Array.from({ length: side * side }, (_, i) => this.#button(i));
    place.replaceChildren(...this.buttons);
    place.addEventListener("keydown", (event) => this.#move(event));
    this.show();
  }

  /** Shows which cells are painted, by more than half. */
  show() {
    this.buttons.forEach((button, i) => {
      button.setAttribute("aria-pressed", String(this.mask.share(this.#inside(i)) > 0.5));
    });
  }

  /**
   * @param {number} i
   * @returns {HTMLButtonElement}
   */
  #button(i) {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = i === 0 ? 0 : -1;
    button.setAttribute("aria-label", `Row ${Math.floor(i / side) + 1}, column ${i % side + 1}`);
    button.addEventListener("click", () => {
      this.mask.set(this.#inside(i), button.getAttribute("aria-pressed") !== "true");
    });
    return button;
  }

  /**
   * @param {number} i of a cell
   * @returns {(x: number, y: number) => boolean} whether a pixel lies in it
   */
  #inside(i) {
    const { width, height } = this.mask;
    const [row, column] = [Math.floor(i / side), i % side];
    return (x, y) => Math.floor(x * side / width) === column && Math.floor(y * side / height) === row;
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const from = this.buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: side, ArrowUp: -side }[event.key];
    if (by === undefined || from < 0) return;
    event.preventDefault();
    const to = this.buttons[from + by];
    if (!to) return;
    this.buttons[from].tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }
}
