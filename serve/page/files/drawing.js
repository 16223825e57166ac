// A job on the server, and the images that come of it.

import { call, GoneError } from "./api.js";
import { present } from "./connection.js";
import { follow } from "./stream.js";

const pause = 1000; // milliseconds before a stream that broke is opened again

/**
 * A job, as the server tells of it.
 * @typedef {object} Job
 * @property {string} id
 * @property {string} kind generate, vary, interpolate, inpaint or likelihood
 * @property {string} status waiting, running, done, failed or cancelled
 * @property {string} model
 * @property {number} count
 * @property {number} done_images
 * @property {string|{message: string}|null} error
 * @property {Record<string, any>} request with its defaults filled in
 * @property {number[]|null} bits_per_dimension
 * @property {string|null} command
 * @property {string[]|null} notes
 */

/** An image of a job, and the states on its way. */
export class Picture {
  constructor() {
    /** @type {Map<number, string>} data URLs of states, by step */
    this.states = new Map();
    this.steps = 0; // of the whole way; 0: unknown
    /** @type {string|null} data URL of the image itself */
    this.url = null;
    /** @type {string|null} */
    this.className = null;
  }
}

/** One job, from the request to its end. */
export class Drawing {
  /**
   * @param {object} request the body of POST /v1/jobs
   * @param {{job: () => void, picture: (index: number) => void}} watcher told what has changed
   */
  constructor(request, watcher) {
    this.request = request;
    this.watcher = watcher;
    /** @type {Job|null} */
    this.job = null;
    /** @type {Picture[]} */
    this.pictures = [];
    this.cancelled = false;
    this.stop = () => {};
  }

  /**
   * Submits the job and follows it to its end.
   * @returns {Promise<Job>}
   * @throws {import("./api.js").ApiError|GoneError} what the server refused
   */
  async run() {
    this.#take(await call("POST", "/v1/jobs", this.request));
    if (this.cancelled) await this.cancel();
    return await new Promise((resolve, reject) => this.#follow(resolve, reject));
  }

  /** Has the server give the job up. */
  async cancel() {
    this.cancelled = true;
    if (this.job) await call("DELETE", this.path);
  }

  /** @returns {string} the path of the job; its files lie below */
  get path() {
    return `/v1/jobs/${this.job?.id}`;
  }

  /**
   * @param {number} index
   * @returns {Picture} the image of an index, empty at first
   */
  picture(index) {
    return this.pictures[index] ??= new Picture();
  }

  /**
   * @param {(job: Job) => void} resolve
   * @param {(error: Error) => void} reject
   */
  #follow(resolve, reject) {
    this.stop = follow(`${this.path}/events`, {
      job: (job) => this.#take(job),
      state: (state) => this.#state(state),
      image: (image) => this.#image(image),
      end: ({ job }) => {
        this.stop();
        this.#take(job);
        resolve(job);
      },
    }, () => this.#again(resolve, reject));
  }

  /**
   * Follows anew where the server still knows the job.
   * @param {(job: Job) => void} resolve
   * @param {(error: Error) => void} reject
   */
  async #again(resolve, reject) {
    this.stop();
    try {
      this.#take(await call("GET", this.path));
      await new Promise((go) => setTimeout(go, pause));
      this.#follow(resolve, reject);
    } catch (error) {
      if (!(error instanceof GoneError)) return reject(/** @type {Error} */ (error));
      await present();
      this.#again(resolve, reject);
    }
  }

  /** @param {Job} job */
  #take(job) {
    this.job = job;
    this.watcher.job();
  }

  /** @param {{image: number, step: number, steps: number, png: string}} state */
  #state(state) {
    const picture = this.picture(state.image);
    picture.steps = state.steps;
    picture.states.set(state.step, dataURL(state.png));
    this.watcher.picture(state.image);
  }

  /** @param {{image: number, class_name: string|null, png: string}} image */
  #image(image) {
    const picture = this.picture(image.image);
    picture.url = dataURL(image.png);
    picture.className = image.class_name;
    if (picture.steps > 0) picture.states.set(picture.steps, picture.url);
    this.watcher.picture(image.image);
  }
}

/**
 * @param {string} png the file, in base64
 * @returns {string}
 */
function dataURL(png) {
  return `data:image/png;base64,${png}`;
}

/**
 * @param {Job} job that failed
 * @returns {string} why
 */
export function reason(job) {
  const error = typeof job.error === "string" ? job.error : job.error?.message;
  return error ?? "The job failed.";
}
