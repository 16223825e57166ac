// The form that says what to draw.

import { Chips } from "./classes.js";
import { alike, byId, fill } from "./dom.js";
import { modelOf } from "./models.js";

/**
 * What to draw; what is left out is for the server to choose.
 * @typedef {object} Settings
 * @property {string} model
 * @property {string} [classes] as the command line takes them
 * @property {boolean} [no_class]
 * @property {number} [count]
 * @property {number} [seed]
 * @property {number} [steps]
 * @property {string} [solver]
 * @property {number} [guidance]
 */

const numbers = ["count", "seed", "steps", "guidance"];

/** The form of the tab that draws. */
export class SettingsForm {
  constructor() {
    this.form = byId("settings");
    this.model = byId("model");
    this.solver = byId("solver");
    this.stepChoice = byId("steps-choice");
    this.chips = new Chips(byId("chips"));
    this.model.addEventListener("change", () => this.#offer());
    byId("more").open = matchMedia("(min-width: 801px)").matches;
  }

  /** @param {import("./models.js").Model[]} models */
  setModels(models) {
    fill(this.model, models.map((model) => [model.id, model.id]));
    this.#offer();
  }

  /** @returns {import("./models.js").Model|undefined} the model that is chosen */
  get chosen() {
    return modelOf(this.model.value);
  }

  /** @returns {Settings} what the form says */
  read() {
    /** @type {Record<string, any>} */
    const settings = { model: this.model.value, ...this.chips.choice() };
    for (const name of numbers) {
      const control = this.#control(name);
      if (!control.disabled && control.value !== "") settings[name] = Number(control.value);
    }
    if (!this.solver.disabled && this.solver.value !== "") settings.solver = this.solver.value;
    return /** @type {Settings} */ (settings);
  }

  /**
   * @param {URLSearchParams} values as a fragment has them; what is missing stays as it is
   * @returns {{message: string, param: string}|null} the first that cannot be chosen here; null: none
   */
  write(values) {
    const model = values.get("model");
    if (model && modelOf(model)) this.model.value = model;
    this.#offer();
    if (values.has("model")) {
      this.chips.choose({
        classes: values.get("classes") ?? "",
        no_class: values.get("no_class") === "true",
      });
    }
    for (const name of [...numbers, "solver"]) {
      const value = values.get(name);
      if (value !== null) this.#control(name).value = value;
    }
    return this.#missing(values);
  }

  /**
   * @param {URLSearchParams} values
   * @returns {{message: string, param: string}|null} the first that the chosen model does not have
   */
  #missing(values) {
    const model = values.get("model");
    if (model && !modelOf(model)) {
      return { message: `This server has no model ${model}. Choose another one, and draw.`, param: "model" };
    }
    const { id, steps } = /** @type {import("./models.js").Model} */ (this.chosen);
    const classes = values.has("model") ? this.chips.missing(values.get("classes") ?? "") : [];
    if (classes.length > 0) return { message: `${id} has no class ${classes.join(", ")}.`, param: "classes" };
    for (const [name, what] of [["steps", "steps"], ["solver", "solver"]]) {
      const control = this.#control(name);
      if (control.selectedIndex !== -1) continue; // of a <select>, nothing is chosen
      control.value = name === "steps" ? String(steps) : "";
      return { message: `${id} does not take ${what} ${values.get(name)}.`, param: name };
    }
    return null;
  }

  /** Takes another seed, of six digits at most, so that people can tell it to each other. */
  roll() {
    byId("seed").value = String(1 + Math.floor(Math.random() * 999999));
  }

  /**
   * @param {string} name of a field
   * @returns {any} the control that is shown for it
   */
  #control(name) {
    return name === "steps" && !this.stepChoice.hidden ? this.stepChoice : byId(name);
  }

  /** Offers what the chosen model takes, and hides what it does not. */
  #offer() {
    const model = this.chosen;
    if (!model) return;
    byId("model-about").textContent = model.about;
    this.chips.offer(model);
    byId("classes").hidden = !model.classes?.length;
    this.#offerSteps(model);
    offer(this.solver, Boolean(model.solvers?.length));
    const others = (model.solvers ?? []).filter((name) => name !== model.solver);
    fill(this.solver, [["", `${model.solver} (default)`], ...others.map(alike)]);
    offer(byId("guidance"), model.guidance !== null);
    byId("guidance").placeholder = `${model.guidance ?? ""}`;
  }

  /** @param {import("./models.js").Model} model */
  #offerSteps(model) {
    const choices = model.step_choices ?? [];
    const steps = byId("steps");
    offer(steps, choices.length > 0 || model.steps > 0);
    steps.hidden = choices.length > 0;
    this.stepChoice.hidden = choices.length === 0;
    fill(this.stepChoice, choices.map((n) => [String(n), n === model.steps ? `${n} (default)` : String(n)]));
    if (!choices.includes(Number(this.stepChoice.value))) this.stepChoice.value = String(model.steps);
    steps.placeholder = `${model.steps}`;
  }
}

/**
 * Shows a control with its field, or hides it where the model has no use for it.
 * @param {any} control
 * @param {boolean} useful
 */
function offer(control, useful) {
  control.disabled = !useful;
  control.closest(".field").hidden = !useful;
}
