// The tab that draws: the form, the images, what to keep of them.

import { byId, copies } from "./dom.js";
import * as fragment from "./fragment.js";
import { loadModels, modelOf } from "./models.js";
import { openPanel, subjectOf } from "./panel.js";
import { clear, show, valid } from "./problems.js";
import { SettingsForm } from "./settings.js";
import { Stage } from "./stage.js";
import { readPicture } from "./upload.js";
import { Way } from "./way.js";

/** The tab that draws. */
export class DrawTab {
  constructor() {
    this.settings = new SettingsForm();
    this.way = new Way(byId("way"), byId("way-step"), () => this.stage.showAll());
    this.stage = new Stage({
      form: this.settings.form,
      grid: byId("grid"),
      status: byId("draw-status"),
      progress: byId("draw-progress"),
      cancel: byId("cancel"),
      command: byId("command"),
      notes: byId("draw-notes"),
      way: this.way,
      changed: () => this.#offerFiles(),
    }, (drawing, index) => openPanel(subjectOf(drawing, index), this.stage.drawing));
    this.#listen();
  }

  /**
   * Loads the models, and draws what the address says.
   * @param {URLSearchParams} values
   */
  async start(values) {
    try {
      this.settings.setModels(await loadModels());
    } catch (error) {
      show(this.settings.form, /** @type {Error} */ (error));
      return;
    }
    clear(this.settings.form);
    const missing = this.settings.write(values);
    if (missing) show(this.settings.form, missing); // what it shows must not be something else
    else this.draw();
  }

  /** Comes back to what was shown: models may have come or gone since. */
  async again() {
    this.address();
    const before = this.settings.read().model;
    try {
      this.settings.setModels(await loadModels());
    } catch {
      return; // what is known is offered still; drawing tells what is wrong
    }
    if (this.settings.read().model === before) return;
    show(this.settings.form, { message: `${before} is no longer there. Choose another model.`, param: "model" });
  }

  /** @returns {boolean} whether there is nothing to choose from yet */
  get bare() {
    return this.settings.chosen === undefined;
  }

  /** Draws what the form says. */
  draw() {
    if (this.bare || !valid(this.settings.form)) return;
    const settings = this.settings.read();
    this.address();
    this.stage.draw({ kind: "generate", ...settings }, settings.count ?? 1);
  }

  /** Writes what is chosen into the address of the page. */
  address() {
    const { no_class, ...others } = this.settings.read();
    fragment.write("draw", { ...others, no_class: no_class ? "true" : undefined });
  }

  #listen() {
    this.settings.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.draw();
    });
    byId("dice").addEventListener("click", () => {
      this.settings.roll();
      this.draw();
    });
    byId("scale").addEventListener("change", () => this.#offerFiles());
    byId("upload").addEventListener("change", () => this.#upload(byId("upload")));
    copies(byId("copy-command"), byId("command"));
  }

  /** Points the links to the files of the job, once it is done. */
  #offerFiles() {
    const drawing = this.stage.drawing;
    const done = drawing?.job?.status === "done";
    const scale = byId("scale").value;
    const files = {
      grid: `/grid.png?scale=${scale}&padding=2`,
      way: modelOf(drawing?.job?.model ?? "")?.trajectory ? `/way.gif?scale=${scale}` : "",
      array: "/images.npy",
    };
    if (drawing?.job) byId("command-row").hidden = !drawing.job.command;
    byId("copy-command").disabled = !drawing?.job?.command;
    for (const [name, file] of Object.entries(files)) {
      const link = /** @type {HTMLAnchorElement} */ (document.querySelector(`#downloads [data-file="${name}"]`));
      const there = done && file !== "";
      link.setAttribute("aria-disabled", String(!there));
      if (there) link.href = drawing.path + file;
      else link.removeAttribute("href");
      link.download = "";
    }
  }

  /** @param {HTMLInputElement} input with the picture that a person chose */
  async #upload(input) {
    const [file] = input.files ?? [];
    const model = this.settings.chosen;
    if (!file || !model) return;
    clear(byId("own"));
    try {
      openPanel(await readPicture(file, model), this.stage.drawing);
    } catch (error) {
      show(byId("own"), { message: /** @type {Error} */ (error).message, param: "images" });
    }
    input.value = "";
  }
}
