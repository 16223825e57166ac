// The tab of runs: their list, and one or two of them watched.

import { call, GoneError } from "./api.js";
import { alike, byId, fill } from "./dom.js";
import { offerDistil } from "./distilling.js";
import { offerExtend } from "./extending.js";
import * as fragment from "./fragment.js";
import { Plot } from "./plot.js";
import { offerRemove } from "./removing.js";
import { RunList } from "./runlist.js";
import { RunView } from "./runview.js";
import { offerStart } from "./starting.js";

const every = 2000; // milliseconds between two looks at the list

/** The tab of runs. */
export class RunsTab {
  constructor() {
    this.list = new RunList((name) => this.open([name, ...this.names.slice(1)]));
    this.plot = new Plot(byId("plot"), byId("plot-values"));
    /** @type {import("./runlist.js").Run[]} */
    this.runs = [];
    /** @type {RunView[]} one, or two side by side */
    this.views = [];
    /** @type {string[]} names of those that were open when the tab was left */
    this.left = [];
    this.shown = false;
    /** @type {Promise<void>|undefined} */
    this.watching = undefined;
    offerStart((name) => this.open([name]));
    offerDistil((name) => this.open([name]));
    offerExtend(() => this.views.forEach((view) => view.load()));
    offerRemove((gone) => this.open(this.names.filter((name) => name !== gone)));
    byId("plot-what").addEventListener("change", () => this.#draw());
    byId("plot-log").addEventListener("change", () => this.#draw());
    byId("beside").addEventListener("change", () => this.open([this.names[0], byId("beside").value]));
  }

  /** @returns {string[]} the names of the runs that are open */
  get names() {
    return this.views.map((view) => view.name);
  }

  /**
   * Shows the tab, with the runs that the address names.
   * @param {URLSearchParams} values
   */
  show(values) {
    this.shown = true;
    const asked = values.has("run") ? [values.get("run") ?? "", values.get("with") ?? ""] : this.left;
    if (this.views.length === 0 || values.has("run")) this.open(asked);
    this.watching ??= this.#watch();
  }

  /** Ends the watching while another tab is shown. */
  hide() {
    if (this.shown) this.left = this.names;
    this.shown = false;
    this.#close();
  }

  /**
   * Opens runs, and closes others.
   * @param {string[]} names of one or two; of none: the newest
   */
  open(names) {
    const wanted = [...new Set(names.filter(Boolean))].slice(0, 2);
    if (wanted.length > 0 && JSON.stringify(wanted) === JSON.stringify(this.names)) return;
    this.#close();
    this.views = wanted.map((name) => new RunView(name, () => this.#draw()));
    byId("run-pair").replaceChildren(...this.views.map((view) => view.root));
    byId("runs-main").hidden = this.views.length === 0;
    this.address();
    this.#draw();
    this.#look();
  }

  /** Writes what is open into the address of the page. */
  address() {
    fragment.write("runs", { run: this.names[0], with: this.names[1] });
  }

  #close() {
    for (const view of this.views) view.close();
    this.views = [];
  }

  /** Looks at the list again and again, while the tab is shown. It does not end. */
  async #watch() {
    for (;;) {
      await new Promise((go) => setTimeout(go, every));
      if (this.shown && !document.hidden) await this.#look();
    }
  }

  /** Looks at the list once. */
  async #look() {
    const problem = byId("runs-problem");
    try {
      this.runs = (await call("GET", "/v1/runs")).data;
      problem.hidden = true;
    } catch (error) {
      problem.hidden = error instanceof GoneError; // a banner says so
      problem.textContent = /** @type {Error} */ (error).message;
      return;
    }
    if (!this.shown) return;
    if (this.views.length === 0 && this.runs.length > 0) this.open([this.runs[0].name]);
    this.list.show(this.runs, this.names);
    this.#offerBeside();
    for (const view of this.views) {
      const there = this.runs.some(({ name }) => name === view.name);
      if (view.lost && (there || !view.gone)) view.load();
    }
  }

  /** Offers the other runs to stand beside the first. */
  #offerBeside() {
    const beside = byId("beside");
    if (document.activeElement === beside) return; // a list that is open must not change
    const others = this.runs.map(({ name }) => name).filter((name) => name !== this.names[0]);
    fill(beside, [["", "no other run"], ...others.map(alike)]);
    beside.value = this.names[1] ?? "";
  }

  /** Draws the curves of all runs that are open into one plot. */
  #draw() {
    const what = byId("plot-what").value;
    this.plot.log = byId("plot-log").checked;
    this.plot.setSeries(this.views.flatMap(({ name, curves }, i) => {
      const whose = this.views.length > 1 ? `${name}: ` : "";
      const kind = `run-${i + 1}`;
      if (what !== "loss") return [{ name: `${whose}images a second`, kind, points: curves.points[what] }];
      return [
        { name: `${whose}loss`, kind, points: curves.points.loss },
        { name: `${whose}validation (dashed)`, kind: `${kind} validation`, points: curves.points.validation },
      ];
    }));
  }
}
