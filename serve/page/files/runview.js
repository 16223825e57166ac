// One run, watched: its figures, its previews, what can be done with it.

import { ApiError, call, GoneError } from "./api.js";
import { connection } from "./connection.js";
import { Curves } from "./curves.js";
import { copyOf, describe, element, part } from "./dom.js";
import { clear } from "./problems.js";
import { askToDistil } from "./distilling.js";
import { askToExtend } from "./extending.js";
import { askToRemove } from "./removing.js";
import { showStatus, trains } from "./runlist.js";
import { follow } from "./stream.js";
import { duration, moment, number } from "./units.js";

/** The view of one run, from its opening to its closing. */
export class RunView {
  /**
   * @param {string} name of the run
   * @param {() => void} changed called when the curves have changed
   */
  constructor(name, changed) {
    this.name = name;
    this.path = `/v1/runs/${encodeURIComponent(name)}`;
    this.changed = changed;
    this.root = copyOf("run-view-template");
    this.curves = new Curves();
    /** @type {number[]} steps that have a preview */
    this.previews = [];
    this.stop = () => {};
    this.closed = false;
    this.lost = false; // it is not followed: it was not there, or the server did not let it be
    this.gone = false; // it was not there when it was last loaded
    this.loads = 0;
    this.used = false; // its budget is used up
    this.back = () => this.load();
    connection.addEventListener("back", this.back);
    part(this.root, "name").textContent = name;
    this.#listen();
    this.load();
  }

  /** Ends the watching. */
  close() {
    this.closed = true;
    this.stop();
    connection.removeEventListener("back", this.back);
    this.root.remove();
  }

  /** Loads all of the run, and then follows it. Of several at a time, the last one counts. */
  async load() {
    this.stop();
    const turn = ++this.loads;
    try {
      const run = await call("GET", this.path);
      await this.curves.load(this.path);
      if (this.closed || turn !== this.loads) return;
      this.lost = this.gone = false;
      part(this.root, "problem").hidden = true;
      this.#show(run);
      describe(part(this.root, "config"), pairs(run.config ?? {}));
      part(this.root, "card").textContent = run.card || "There is none yet.";
      this.#setPreviews(run.previews ?? []);
      this.changed();
      this.#follow();
    } catch (error) {
      if (turn !== this.loads) return;
      this.lost = true;
      this.#problem(error);
    }
  }

  #follow() {
    this.stop = follow(`${this.path}/events?from=${this.curves.last}`, {
      run: (run) => this.#show(run),
      points: (points) => {
        this.curves.add(points);
        this.changed();
      },
      preview: ({ step }) => this.#setPreviews([...this.previews.filter((s) => s !== step), step]),
      note: ({ text }) => this.#note(text),
      end: () => {
        this.lost = true;
        this.#problem(new ApiError(404, {}));
      },
    }, () => { this.lost = true; }); // the tab loads it again, and then it tells what is wrong
  }

  /** @param {string} text of a note; a stream that is opened again sends those that are there too */
  #note(text) {
    const list = part(this.root, "notes");
    const there = [...list.children].some((item) => item.textContent === text);
    if (!there) list.append(element("li", text));
  }

  /** @param {import("./runlist.js").Run} run */
  #show(run) {
    showStatus(this.root, run);
    part(this.root, "activity").textContent = run.activity ?? "";
    part(this.root, "activity").hidden = !run.activity;
    const error = part(this.root, "error");
    error.hidden = !run.error;
    error.textContent = run.error ?? "";
    describe(part(this.root, "figures"), figures(run));
    for (const action of /** @type {const} */ (["stop", "resume", "distil", "delete"])) {
      part(this.root, action).disabled = !run.can[action];
    }
    part(this.root, "resume").disabled = !run.can.resume && !run.can.extend;
    this.used = run.can.extend;
    part(this.root, "resume").textContent = this.used ? "Train further…" : "Resume";
    const draw = part(this.root, "draw");
    draw.hidden = !run.model;
    draw.href = `#draw?${new URLSearchParams({ model: run.model ?? "" })}`;
  }

  #listen() {
    part(this.root, "stop").addEventListener("click", () => this.#post("stop"));
    part(this.root, "resume").addEventListener("click", () => {
      if (this.used) askToExtend(this.name);
      else this.#post("resume");
    });
    part(this.root, "distil").addEventListener("click", () => askToDistil(this.name));
    part(this.root, "delete").addEventListener("click", () => askToRemove(this.name));
    part(this.root, "preview-way").addEventListener("input", () => this.#showPreview());
  }

  /** @param {string} action stop or resume */
  async #post(action) {
    clear(this.root);
    try {
      this.#show(await call("POST", `${this.path}/${action}`));
    } catch (error) {
      this.#problem(error);
    }
  }

  /** @param {unknown} error */
  #problem(error) {
    if (this.closed || error instanceof GoneError) return; // a banner says that the server is gone
    const gone = error instanceof ApiError && error.status === 404;
    if (gone) this.#leave();
    const problem = part(this.root, "problem");
    const words = gone ? "This run is no longer there." : /** @type {Error} */ (error).message;
    if (problem.textContent !== words) problem.textContent = words; // so that it is said once
    problem.hidden = false;
  }

  /** Shows a run that is no longer there: what was last known of it, and nothing to be done. */
  #leave() {
    this.stop();
    this.gone = true;
    part(this.root, "status").textContent = "gone";
    part(this.root, "status").dataset.status = "failed";
    for (const hidden of ["progress", "draw", "activity", "previews"]) part(this.root, hidden).hidden = true;
    for (const action of ["stop", "resume", "distil", "delete"]) part(this.root, action).disabled = true;
  }

  /** @param {number[]} steps that have a preview, in order */
  #setPreviews(steps) {
    const slider = part(this.root, "preview-way");
    const atEnd = slider.value === slider.max;
    this.previews = steps;
    part(this.root, "previews").hidden = steps.length === 0;
    slider.max = String(Math.max(0, steps.length - 1));
    slider.disabled = steps.length < 2;
    if (atEnd) slider.value = slider.max;
    if (steps.length > 0) this.#showPreview();
  }

  #showPreview() {
    const slider = part(this.root, "preview-way");
    const step = this.previews[Number(slider.value)];
    const image = part(this.root, "preview");
    image.src = `${this.path}/previews/${step}.png`;
    image.alt = `Images that ${this.name} drew after step ${step}`;
    part(this.root, "preview-step").textContent = `step ${step}`;
    slider.setAttribute("aria-valuetext", `step ${step}`);
  }
}

/**
 * @param {import("./runlist.js").Run} run
 * @returns {[string, string][]}
 */
function figures(run) {
  /** @type {[string, string][]} */
  const all = [
    ["Step", run.steps ? `${number(run.step, 9)} of ${number(run.steps, 9)}` : number(run.step, 9)],
    ["Loss", number(run.loss)],
    ["Validation", number(run.validation)],
    ["Images/s", number(run.images_per_second, 3)],
    ["Time", duration(run.seconds)],
    trains(run) ? ["Left, about", duration(run.eta)] : ["Changed", moment(run.changed)],
    ["Data", run.data || "–"],
    ["Classes", some(run.classes) || "none"],
    run.job === "distill" ? ["Distilled from", run.teacher ?? "–"] : ["Network", run.preset || "–"],
  ];
  return all;
}

/**
 * @param {string[]} names
 * @returns {string} all of them, or where they are many the first, and how many there are
 */
function some(names) {
  const [most, longest] = [20, 100]; // names, characters
  const all = names.join(", ");
  if (names.length <= most && all.length <= longest) return all;
  const shown = names.slice(0, 10).join(", ").slice(0, longest).trimEnd();
  return `${names.length}: ${shown}…`;
}

/**
 * Returns the settings of a configuration as pairs, those inside others with both their names.
 * @param {Record<string, any>} config
 * @param {string} before names of what is around it
 * @returns {[string, string][]}
 */
function pairs(config, before = "") {
  return Object.entries(config).flatMap(([name, value]) => {
    const holds = value !== null && typeof value === "object" && !Array.isArray(value);
    if (holds) return pairs(value, `${before}${name} `);
    const shown = Array.isArray(value) ? value.join(", ") : String(value);
    return [/** @type {[string, string]} */ ([before + name.replaceAll("_", " "), shown || "–"])];
  });
}
