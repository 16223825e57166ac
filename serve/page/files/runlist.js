// The list of runs. A run keeps its button while the list changes, and with it the focus.

import { byId, copyOf, part } from "./dom.js";
import { duration, number } from "./units.js";

/**
 * A run, as the server tells of it.
 * @typedef {object} Run
 * @property {string} name
 * @property {string} status training, stopping, stopped, finished, failed or elsewhere
 * @property {string} job train or distill
 * @property {number} step
 * @property {number|null} steps
 * @property {number} seconds
 * @property {number|null} loss
 * @property {number|null} validation
 * @property {number|null} images_per_second
 * @property {number|null} eta
 * @property {string} data
 * @property {string[]} classes
 * @property {string|null} preset
 * @property {string|null} teacher the model that a distillation distils
 * @property {string|null} activity what is done before the first step
 * @property {string} created
 * @property {string} changed
 * @property {{stop: boolean, resume: boolean, extend: boolean, distil: boolean, delete: boolean}} can
 * @property {string|null} error
 * @property {string|null} model what requests for images call it
 */

/** The list of runs. */
export class RunList {
  /** @param {(name: string) => void} chosen */
  constructor(chosen) {
    this.chosen = chosen;
    this.list = byId("run-list");
    /** @type {Map<string, HTMLElement>} items by the names of runs */
    this.items = new Map();
    this.first = ""; // the name of the first that was open
  }

  /**
   * @param {Run[]} runs in the order to show them
   * @param {string[]} open names of those that are open
   */
  show(runs, open) {
    byId("runs-empty").hidden = runs.length > 0;
    const items = runs.map((run) => this.#item(run, open.includes(run.name)));
    const same = items.length === this.list.children.length &&
      items.every((item, i) => item === this.list.children[i]);
    if (!same) this.list.replaceChildren(...items);
    for (const name of this.items.keys()) {
      if (!runs.some((run) => run.name === name)) this.items.delete(name);
    }
    if (open[0] !== this.first) this.#bringIntoView(open[0]);
  }

  /**
   * Scrolls the list, not the page, to a run that lies outside of what is seen.
   * @param {string} name
   */
  #bringIntoView(name) {
    const item = this.items.get(name);
    if (!item || this.list.clientHeight === 0) return;
    this.first = name;
    const { scrollTop, clientHeight } = this.list;
    const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
    if (top < scrollTop || bottom > scrollTop + clientHeight) this.list.scrollTop = (top + bottom - clientHeight) / 2;
  }

  /**
   * @param {Run} run
   * @param {boolean} open
   * @returns {HTMLElement}
   */
  #item(run, open) {
    const item = this.items.get(run.name) ?? this.#make(run.name);
    item.firstElementChild?.setAttribute("aria-pressed", String(open));
    showStatus(item, run);
    part(item, "figures").textContent = [
      `loss ${number(run.loss)}`,
      `step ${number(run.step, 9)}`,
      trains(run) ? `${number(run.images_per_second, 3)} images/s` : duration(run.seconds),
    ].join(" · ");
    return item;
  }

  /**
   * @param {string} name
   * @returns {HTMLElement}
   */
  #make(name) {
    const item = copyOf("run-template");
    part(item, "name").textContent = name;
    item.firstElementChild.addEventListener("click", () => this.chosen(name));
    this.items.set(name, item);
    return item;
  }
}

/**
 * @param {Run} run
 * @returns {boolean} whether somebody trains it: this server, or another process
 */
export function trains({ status }) {
  return status === "training" || status === "stopping" || status === "elsewhere";
}

/**
 * Shows the status of a run, and how far it is.
 * @param {HTMLElement} root with parts for both
 * @param {Run} run
 */
export function showStatus(root, run) {
  const badge = part(root, "status");
  badge.textContent = { elsewhere: "another process trains it" }[run.status] ?? run.status;
  badge.dataset.status = run.status;
  const progress = part(root, "progress");
  const share = run.steps ? run.step / run.steps : run.seconds / (run.seconds + (run.eta ?? NaN));
  progress.hidden = !trains(run);
  if (Number.isFinite(share)) progress.value = share;
  else progress.removeAttribute("value");
}
