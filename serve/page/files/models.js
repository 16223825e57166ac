// The models that the server has, as GET /v1/models describes them.

import { call } from "./api.js";

/**
 * @typedef {object} Model
 * @property {string} id what requests call it
 * @property {string} about a few words
 * @property {number} width of its images, in pixels
 * @property {number} height
 * @property {string[]|null} classes
 * @property {boolean} no_class it draws images of no class too
 * @property {number|null} guidance the default weight; null: it takes none
 * @property {string[]|null} solvers that can be chosen
 * @property {string} solver the default
 * @property {number} steps the default
 * @property {number[]|null} step_choices the only numbers of steps; null: any
 * @property {boolean} trajectory it has states between noise and image
 * @property {boolean} edits
 * @property {boolean} likelihood
 */

/** @type {Model[]} */
let known = [];

/** @returns {Promise<Model[]>} the server's models, asked for anew */
export async function loadModels() {
  known = (await call("GET", "/v1/models")).data;
  return known;
}

/**
 * @param {string} id
 * @returns {Model|undefined}
 */
export function modelOf(id) {
  return known.find((model) => model.id === id);
}
