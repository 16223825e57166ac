// A stage shows one drawing: its images as they come, how far it is, and what to keep of it. The
// tab that draws has one, and so has the panel of an image.

import { ApiError } from "./api.js";
import { announce } from "./dom.js";
import { Drawing, reason } from "./drawing.js";
import { Gallery } from "./gallery.js";
import { modelOf } from "./models.js";
import { clear, show } from "./problems.js";
import { stateAt } from "./way.js";

/**
 * What a stage is made of.
 * @typedef {object} Parts
 * @property {HTMLElement} form where problems are shown
 * @property {HTMLElement} grid
 * @property {HTMLElement} status
 * @property {HTMLProgressElement} progress
 * @property {HTMLButtonElement} cancel
 * @property {HTMLElement} command
 * @property {HTMLElement} notes
 * @property {import("./way.js").Way} [way]
 * @property {(drawing: Drawing) => void} [changed] told of each change of the job
 */

/** Shows one drawing at a time. */
export class Stage {
  /**
   * @param {Parts} parts
   * @param {(drawing: Drawing, index: number) => void} open told which image was clicked
   */
  constructor(parts, open) {
    this.parts = parts;
    /** @type {Drawing|null} */
    this.drawing = null;
    /** @type {Set<number>} images that changed and are not shown yet */
    this.stale = new Set();
    this.gallery = new Gallery(parts.grid, (index) => this.drawing && open(this.drawing, index));
    parts.cancel.addEventListener("click", () => this.cancel());
  }

  /**
   * Draws what a request asks for, instead of what was being drawn.
   * @param {{model: string, count?: number}} request the body of POST /v1/jobs
   * @param {number} images how many will come; 0: none
   */
  async draw(request, images) {
    this.cancel();
    clear(this.parts.form);
    const drawing = new Drawing(request, {
      job: () => this.drawing === drawing && this.#tell(),
      picture: (index) => this.drawing === drawing && this.#later(index),
    });
    this.drawing = drawing;
    this.#begin(request.model, images);
    try {
      const job = await drawing.run();
      if (this.drawing === drawing) this.#end(job);
    } catch (error) {
      if (this.drawing === drawing) this.#fail(/** @type {Error} */ (error));
    }
  }

  /** Gives up what is being drawn, if anything is. */
  cancel() {
    const drawing = this.drawing;
    if (!drawing || this.parts.cancel.disabled) return;
    drawing.cancel().catch((error) => show(this.parts.form, error));
  }

  /** Gives up, and shows nothing. */
  empty() {
    this.cancel();
    this.drawing = null;
    this.parts.grid.replaceChildren();
    this.parts.status.textContent = "";
    this.parts.progress.hidden = true;
    this.parts.notes.replaceChildren();
    this.parts.cancel.disabled = true;
  }

  /** Shows all images at the step where the slider is. */
  showAll() {
    this.drawing?.pictures.forEach((_, index) => this.#show(index));
  }

  /**
   * @param {string} name of the model
   * @param {number} images
   */
  #begin(name, images) {
    this.stale.clear();
    const model = modelOf(name);
    this.gallery.lay(images, model ? model.width / model.height : 1);
    this.parts.way?.setSteps(0);
    this.parts.notes.replaceChildren();
    this.parts.progress.hidden = false;
    this.parts.progress.value = 0;
    this.parts.cancel.disabled = false;
    this.parts.command.textContent = "";
    this.parts.changed?.(/** @type {Drawing} */ (this.drawing));
    this.#say("Asking the server…");
  }

  /** Tells how far the job is. */
  #tell() {
    const job = /** @type {import("./drawing.js").Job} */ (this.drawing?.job);
    this.parts.progress.max = Math.max(job.count, 1);
    this.parts.progress.value = job.done_images;
    this.parts.command.textContent = job.command ?? "";
    this.parts.notes.replaceChildren(...(job.notes ?? []).map((text) => {
      const note = document.createElement("li");
      note.textContent = text;
      return note;
    }));
    if (job.status === "waiting") this.#say("Waiting for its turn…");
    if (job.status === "running") this.#say(`Drawing: ${job.done_images} of ${job.count}`);
    this.parts.changed?.(/** @type {Drawing} */ (this.drawing));
  }

  /**
   * Shows an image in the next frame. States may come by the thousand a second, and what a person
   * clicks must not wait for all of them.
   * @param {number} index of the image that changed
   */
  #later(index) {
    if (this.stale.size === 0) requestAnimationFrame(() => this.#showStale());
    this.stale.add(index);
  }

  /** Shows the images that changed since the last frame. */
  #showStale() {
    const stale = [...this.stale];
    this.stale.clear();
    if (this.drawing) stale.forEach((index) => this.#show(index));
  }

  /** @param {number} index of the image that changed */
  #show(index) {
    const { drawing, parts, gallery } = this;
    const picture = /** @type {Drawing} */ (drawing).picture(index);
    if (parts.way?.slider.disabled && picture.steps > 0) parts.way.setSteps(picture.steps);
    const step = parts.way?.step ?? Infinity;
    const url = step === Infinity && picture.url ? picture.url : stateAt(picture.states, step) ?? picture.url;
    if (url) gallery.show(index, url, caption(index, picture));
    if (!picture.url) return;
    gallery.finish(index);
    const whole = drawing?.pictures.filter((other) => other?.url).length ?? 0;
    parts.progress.value = whole;
    if (!parts.cancel.disabled) this.#say(`Drawing: ${whole} of ${gallery.tiles.length}`);
  }

  /** @param {import("./drawing.js").Job} job that has ended */
  #end(job) {
    this.#showStale();
    this.parts.cancel.disabled = true;
    if (job.status === "done") this.parts.progress.value = this.parts.progress.max;
    const words = {
      done: ending(job),
      cancelled: `Cancelled after ${job.done_images} of ${job.count} images.`,
      failed: "It failed.",
    }[job.status] ?? job.status;
    this.#say(words);
    announce(words);
    if (job.status === "failed") show(this.parts.form, { message: reason(job) });
  }

  /** @param {Error} error */
  #fail(error) {
    this.parts.cancel.disabled = true;
    this.#say("Nothing was drawn.");
    const lost = error instanceof ApiError && error.status === 404 && this.drawing?.job;
    show(this.parts.form, lost
      ? { message: "The server has forgotten this job. Draw it again: the same seed gives the same images." }
      : { message: sentence(error.message), param: error instanceof ApiError ? error.param : null });
  }

  /** @param {string} words */
  #say(words) {
    this.parts.status.textContent = words;
  }
}

/**
 * @param {number} index
 * @param {import("./drawing.js").Picture} picture
 * @returns {string} what an image shows, for those who do not see it
 */
export function caption(index, picture) {
  if (!picture.url) return `Image ${index + 1}, on its way from noise`;
  return picture.className ? `Image ${index + 1}: ${picture.className}` : `Image ${index + 1}`;
}

/**
 * @param {import("./drawing.js").Job} job that is done
 * @returns {string}
 */
function ending(job) {
  if (job.bits_per_dimension?.length) {
    return `${job.bits_per_dimension.map((bits) => bits.toFixed(3)).join(", ")} bits per dimension`;
  }
  const { steps, solver, guidance, seed } = job.request;
  const words = [`${job.count} ${job.count === 1 ? "image" : "images"} of ${job.model}`];
  if (job.kind !== "generate") return words[0];
  words.push(`seed ${seed}`);
  if (steps) words.push(`${steps} ${steps === 1 ? "step" : "steps"}${solver ? ` of ${solver}` : ""}`);
  if (guidance) words.push(`guidance ${guidance}`);
  return words.join(" · ");
}

/**
 * @param {string} words
 * @returns {string} with a capital first
 */
function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
