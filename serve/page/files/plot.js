// A plot of curves over steps, with axes, and with the values under the pointer or under a cursor
// that arrow keys move.

import { element } from "./dom.js";
import { linear, logarithmic } from "./scale.js";
import { number } from "./units.js";

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} kind classes of its line: see runs.css
 * @property {[step: number, value: number][]} points in the order of their steps
 */

const margin = { top: 8, right: 12, bottom: 36, left: 56 }; // pixels
const fewPoints = 20; // of a line, which are marked

/** A plot in an element, drawn anew when its size changes. */
export class Plot {
  /**
   * @param {HTMLElement} place
   * @param {HTMLElement} values where the values at the cursor are written
   */
  constructor(place, values) {
    this.place = place;
    this.values = values;
    /** @type {Series[]} */
    this.series = [];
    this.log = false;
    /** @type {number|null} the step that the cursor is at; null: the last */
    this.cursor = null;
    new ResizeObserver(() => this.draw()).observe(place);
    place.addEventListener("pointermove", (event) => this.#point(event));
    place.addEventListener("pointerleave", () => this.#setCursor(null));
    place.addEventListener("blur", () => this.#setCursor(null));
    place.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Series[]} series what to show; empty ones are left out */
  setSeries(series) {
    this.series = series.filter(({ points }) => points.length > 0);
    this.draw();
  }

  /** Draws all of it. */
  draw() {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (width === 0) return; // not shown
    this.width = width;
    this.height = height;
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}` });
    this.place.replaceChildren(svg);
    this.#setScales();
    if (this.x && this.y) {
      svg.append(...this.#axes(this.x, this.y), ...this.series.flatMap((series) => this.#line(series)));
      this.line = shape("line", { class: "cursor", y1: margin.top, y2: height - margin.bottom });
      svg.append(this.line);
    } else {
      svg.append(text("No point yet", width / 2, height / 2, "middle"));
    }
    this.#tell();
  }

  #setScales() {
    const all = this.series.flatMap(({ points }) => points).filter(([, value]) => !this.log || value > 0);
    this.x = this.y = undefined;
    if (all.length === 0) return;
    const steps = all.map(([step]) => step);
    const values = all.map(([, value]) => value);
    const [low, high] = [least(values), greatest(values)];
    this.x = linear(least(steps), greatest(steps), Math.max(2, (this.width ?? 0) / 110));
    this.y = this.log ? logarithmic(low, high) : linear(low, high, 6);
  }

  /**
   * @param {number} step
   * @returns {number} pixels from the left
   */
  #left(step) {
    const inner = (this.width ?? 0) - margin.left - margin.right;
    return margin.left + (this.x?.at(step) ?? 0) * inner;
  }

  /**
   * @param {number} value
   * @returns {number} pixels from the top
   */
  #top(value) {
    const inner = (this.height ?? 0) - margin.top - margin.bottom;
    return margin.top + (1 - (this.y?.at(value) ?? 0)) * inner;
  }

  /**
   * @param {import("./scale.js").Scale} x
   * @param {import("./scale.js").Scale} y
   * @returns {SVGElement[]}
   */
  #axes(x, y) {
    const [right, bottom] = [(this.width ?? 0) - margin.right, (this.height ?? 0) - margin.bottom];
    return [
      ...y.ticks.flatMap((tick) => [
        shape("line", { class: "rule", x1: margin.left, x2: right, y1: this.#top(tick), y2: this.#top(tick) }),
        text(number(tick, 3), margin.left - 8, this.#top(tick) + 4, "end"),
      ]),
      ...x.ticks.map((tick) => text(number(tick, 9), this.#left(tick), bottom + 16,
        this.#left(tick) > right - 24 ? "end" : "middle")), // so that the edge cuts none
      text("step", (margin.left + right) / 2, bottom + 31, "middle"),
    ];
  }

  /**
   * @param {Series} series
   * @returns {SVGElement[]} a line, and its points where they are few
   */
  #line({ kind, points }) {
    const places = points.filter(([, value]) => !this.log || value > 0)
      .map(([step, value]) => [this.#left(step).toFixed(1), this.#top(value).toFixed(1)]);
    const dots = places.length <= fewPoints ? places : [];
    return [
      shape("path", { class: kind, d: places.length > 0 ? `M${places.join("L")}` : "" }),
      ...dots.map(([cx, cy]) => shape("circle", { class: kind, cx, cy, r: 2 })),
    ];
  }

  /** @param {PointerEvent} event */
  #point(event) {
    if (!this.x) return;
    const inner = this.place.clientWidth - margin.left - margin.right;
    const left = event.clientX - this.place.getBoundingClientRect().left - margin.left;
    this.#setCursor(this.x.value(Math.min(1, Math.max(0, left / inner))));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const all = this.series.flatMap(({ points }) => points.map(([step]) => step));
    const steps = [...new Set(all)].sort((a, b) => a - b);
    if (steps.length === 0) return;
    const at = nearest(steps, this.cursor ?? steps[steps.length - 1]);
    const page = Math.max(1, Math.round(steps.length / 20));
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, PageDown: at - page, PageUp: at + page, Home: 0, End: steps.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#setCursor(steps[Math.min(steps.length - 1, Math.max(0, to))]);
  }

  /** @param {number|null} step */
  #setCursor(step) {
    this.cursor = step;
    this.values.setAttribute("aria-live", step === null ? "off" : "polite");
    this.#tell();
  }

  /** Writes the values at the cursor. */
  #tell() {
    if (this.line) {
      const left = this.cursor === null || !this.x ? -10 : this.#left(this.cursor);
      this.line.setAttribute("x1", String(left));
      this.line.setAttribute("x2", String(left));
    }
    this.values.replaceChildren(...this.series.flatMap(({ name, kind, points }) => {
      const steps = points.map(([step]) => step);
      const [step, value] = points[this.cursor === null ? points.length - 1 : nearest(steps, this.cursor)];
      const words = element("span", `${name} ${number(value)} at step ${step}`);
      words.className = kind;
      return [words, document.createElement("br")];
    }));
    this.place.setAttribute("aria-label", this.series.length === 0
      ? "A plot without a point yet"
      : `Plot of ${this.series.map(({ name }) => name).join(", ")}. Arrow keys move a cursor over the steps.`);
  }
}

/**
 * @param {number[]} sorted not empty
 * @param {number} wanted
 * @returns {number} the index of the number that is nearest
 */
export function nearest(sorted, wanted) {
  let [low, high] = [0, sorted.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= wanted) low = middle;
    else high = middle;
  }
  return wanted - sorted[low] <= sorted[high] - wanted ? low : high;
}

/** @type {(numbers: number[]) => number} Math.min takes too few arguments for long curves. */
const least = (numbers) => numbers.reduce((a, b) => Math.min(a, b));

/** @type {(numbers: number[]) => number} */
const greatest = (numbers) => numbers.reduce((a, b) => Math.max(a, b));

/**
 * @param {string} tag
 * @param {Record<string, string|number>} attributes
 * @returns {SVGElement}
 */
function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/**
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {string} anchor start, middle or end
 * @returns {SVGElement}
 */
function text(words, x, y, anchor) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = words;
  return made;
}
