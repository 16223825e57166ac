// The curves of a run, as they are loaded and as they grow.

import { call } from "./api.js";

const most = 1500; // points of a curve, before they are thinned
const thinned = 1000; // and after

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
      this.points[name] = all.length > most ? thin(all, thinned) : all;
    }
  }
}

/**
 * Returns some of the points: the first, the last, and the smallest and the largest of each of equal
 * stretches of steps. So a peak of one step stays, however often a curve is thinned.
 * @param {Point[]} points in the order of their steps
 * @param {number} count how many there are then, at most; 4 or more
 * @returns {Point[]}
 */
export function thin(points, count) {
  if (points.length <= count) return points;
  const [first, last] = [points[0], points[points.length - 1]];
  const each = (last[0] - first[0] + 1) / Math.floor((count - 2) / 2); // steps of a stretch
  /** @type {Set<Point>} */
  const kept = new Set([first]);
  for (let i = 0; i < points.length;) {
    const stretch = Math.floor((points[i][0] - first[0]) / each);
    let [low, high] = [i, i];
    for (; i < points.length && Math.floor((points[i][0] - first[0]) / each) === stretch; i++) {
      if (points[i][1] < points[low][1]) low = i;
      if (points[i][1] > points[high][1]) high = i;
    }
    kept.add(points[Math.min(low, high)]).add(points[Math.max(low, high)]);
  }
  return [...kept.add(last)];
}
