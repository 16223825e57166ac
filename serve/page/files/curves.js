// The curves of a run, as they are loaded and as they grow.

import { call } from "./api.js";

const most = 1500; // points of a curve, before they are thinned

/** @typedef {[step: number, value: number]} Point */

/** The curves of one run. */
export class Curves {
  constructor() {
    /** @type {Record<string, Point[]>} */
    this.points = { loss: [], validation: [], images_per_second: [] };
  }

  /** @param {string} path of the run */
  async load(path) {
    const answer = await call("GET", `${path}/curve?points=500`);
    for (const name of Object.keys(this.points)) this.points[name] = answer[name] ?? [];
  }

  /** @returns {number} the last step that is known */
  get last() {
    return this.points.loss.at(-1)?.[0] ?? 0;
  }

  /**
   * Takes over all points behind a step, instead of those that were there.
   * @param {{from: number} & Record<string, any>} more
   */
  add(more) {
    for (const [name, points] of Object.entries(this.points)) {
      const all = [...points.filter(([step]) => step <= more.from), ...(more[name] ?? [])];
      const thin = all.length > most;
      this.points[name] = thin ? all.filter((_, i) => i % 2 === 0 || i === all.length - 1) : all;
    }
  }
}
