// The dialog of one image: its way, and what can be made of it.

import { byId } from "./dom.js";
import { modelOf } from "./models.js";
import { caption } from "./stage.js";
import { Tools } from "./tools.js";
import { inverted } from "./upload.js";
import { stateAt, Way } from "./way.js";

/**
 * The image that a panel is about.
 * @typedef {object} Subject
 * @property {string} url data URL of its PNG
 * @property {string} title
 * @property {string} alt
 * @property {string} model the model that edits it
 * @property {string|null} className
 * @property {Map<number, string>} states URLs by step
 * @property {number} steps 0: there are no states
 * @property {string|null} save path of its file on the server; null: it is a person's own
 */

/**
 * @param {import("./drawing.js").Drawing} drawing
 * @param {number} index
 * @returns {Subject} an image of a drawing
 */
export function subjectOf(drawing, index) {
  const picture = drawing.picture(index);
  const title = caption(index, picture);
  return {
    url: picture.url ?? "",
    title,
    alt: title,
    model: drawing.job?.model ?? "",
    className: picture.className,
    states: picture.states,
    steps: picture.steps,
    save: `${drawing.path}/images/${index}.png?scale=8`,
  };
}

/** The dialog, and the images that it was opened for. */
class Panel {
  constructor() {
    this.dialog = byId("panel");
    this.image = byId("subject");
    /** @type {Subject[]} the one that is shown is the last */
    this.subjects = [];
    this.way = new Way(byId("subject-way"), byId("subject-way-step"), () => this.#showStep());
    this.tools = new Tools((drawing, index) => this.push(subjectOf(drawing, index)));
    byId("panel-close").addEventListener("click", () => this.dialog.close());
    byId("panel-back").addEventListener("click", () => this.#back());
    byId("invert").addEventListener("change", () => this.#invert());
    this.dialog.addEventListener("close", () => this.tools.leave());
  }

  /**
   * Opens the dialog for a subject, without those before it.
   * @param {Subject} subject
   * @param {import("./drawing.js").Drawing|null} drawing whose images can be the other one
   */
  open(subject, drawing) {
    this.subjects = [];
    this.tools.offerOthers(drawing);
    if (!this.dialog.open) this.dialog.showModal();
    this.push(subject);
  }

  /** @param {Subject} subject shown before those that are there */
  push(subject) {
    this.subjects.push(subject);
    this.#show(subject);
  }

  #back() {
    this.subjects.pop();
    this.#show(this.subjects[this.subjects.length - 1]);
  }

  /** @param {Subject} subject */
  #show(subject) {
    const model = modelOf(subject.model);
    const ratio = model ? model.width / model.height : 1;
    byId("panel-title").textContent = subject.title;
    byId("panel-back").hidden = this.subjects.length < 2;
    byId("subject-frame").style.setProperty("--ratio", String(ratio));
    byId("subject-frame").style.setProperty("--ratio-number", String(ratio));
    byId("subject-way-row").hidden = subject.steps === 0;
    byId("subject-save").hidden = subject.save === null;
    byId("subject-save").href = subject.save ?? "";
    byId("invert-row").hidden = subject.save !== null;
    byId("invert").checked = false;
    this.way.setSteps(subject.steps);
    this.image.src = subject.url;
    this.image.alt = subject.alt;
    this.tools.setSubject(subject);
    byId("panel-title").focus();
  }

  #showStep() {
    const subject = this.subjects[this.subjects.length - 1];
    const step = this.way.step;
    this.image.src = step === Infinity ? subject.url : stateAt(subject.states, step) ?? subject.url;
  }

  #invert() {
    const subject = this.subjects[this.subjects.length - 1];
    subject.url = inverted(this.image);
    this.image.src = subject.url;
  }
}

/** @type {Panel|undefined} */
let panel;

/**
 * Opens the panel of an image.
 * @param {Subject} subject
 * @param {import("./drawing.js").Drawing|null} drawing whose images can be the other one
 */
export function openPanel(subject, drawing) {
  panel ??= new Panel();
  panel.open(subject, drawing);
}
