// Classes as chips. A list of classes is written as the command line takes it: names with commas
// between them.

import { copyOf } from "./dom.js";

/** What the chips ask for. @typedef {{classes?: string, no_class?: boolean}} Choice */

const random = "random";
const none = "no class";

/** Chips for the classes of a model. */
export class Chips {
  /** @param {HTMLElement} place where the chips go */
  constructor(place) {
    this.place = place;
    /** @type {Map<string, HTMLInputElement>} by the name of the class */
    this.boxes = new Map();
    /** @type {HTMLInputElement|undefined} */
    this.random = undefined;
    /** @type {HTMLInputElement|undefined} */
    this.none = undefined;
  }

  /**
   * Offers the classes of a model, and keeps those that are chosen where it has them too.
   * @param {import("./models.js").Model} model
   */
  offer(model) {
    const before = this.choice();
    this.place.replaceChildren();
    this.random = this.#add(random, () => this.#only(this.random));
    this.none = model.no_class ? this.#add(none, () => this.#only(this.none)) : undefined;
    this.boxes = new Map();
    for (const name of model.classes ?? []) this.boxes.set(name, this.#add(name, () => this.#some()));
    this.choose(before);
  }

  /** @returns {Choice} nothing for random classes */
  choice() {
    if (this.none?.checked) return { no_class: true };
    const names = [...this.boxes].filter(([, box]) => box.checked).map(([name]) => quote(name));
    return names.length > 0 ? { classes: names.join(",") } : {};
  }

  /** @param {Choice} choice names that the model does not have are left out */
  choose(choice) {
    const names = split(choice.classes ?? "");
    for (const [name, box] of this.boxes) box.checked = !choice.no_class && names.includes(name);
    if (this.none) this.none.checked = choice.no_class === true;
    this.#some();
  }

  /**
   * @param {string} list of classes
   * @returns {string[]} the names in it that the model does not have
   */
  missing(list) {
    return split(list).filter((name) => !this.boxes.has(name));
  }

  /**
   * @param {string} text
   * @param {() => void} changed
   * @returns {HTMLInputElement}
   */
  #add(text, changed) {
    const chip = copyOf("chip-template");
    chip.querySelector("span").textContent = text;
    const box = chip.querySelector("input");
    box.addEventListener("change", changed);
    this.place.append(chip);
    return box;
  }

  /** Chooses one of "random" and "no class", and so no class of the model. */
  #only(/** @type {HTMLInputElement|undefined} */ chosen) {
    for (const box of [...this.boxes.values(), this.random, this.none]) {
      if (box) box.checked = box === chosen;
    }
  }

  /** Classes are random where none is chosen. */
  #some() {
    const some = [...this.boxes.values()].some((box) => box.checked);
    if (some && this.none) this.none.checked = false;
    if (this.random) this.random.checked = !some && !this.none?.checked;
  }
}

/**
 * Writes the name of a class as a list of classes has it: in quotation marks where it must be.
 * @param {string} name
 * @returns {string}
 */
export function quote(name) {
  const plain = name !== "" && !/[",]/.test(name) && name.trim() === name;
  return plain ? name : `"${name.replaceAll('"', '""')}"`;
}

/**
 * Reads a list that quote wrote.
 * @param {string} list
 * @returns {string[]}
 */
export function split(list) {
  const names = list.match(/"(?:[^"]|"")*"|[^",][^,]*/g) ?? [];
  return names.map((name) => name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
}
