// Requests to the server's API, and its errors.

import { lost } from "./connection.js";
import { askForToken } from "./login.js";

/** An error that the server answered with. param names the field that is wrong, if one is. */
export class ApiError extends Error {
  /**
   * @param {number} status the status of HTTP
   * @param {{message?: string, param?: string|null}} problem the error in the body
   */
  constructor(status, problem) {
    super(problem.message ?? `the server answered with status ${status}`);
    this.status = status;
    this.param = problem.param ?? null;
  }
}

/** The error of a request that no server answered. */
export class GoneError extends Error {
  constructor() {
    super("the server does not answer");
  }
}

/**
 * Sends a request and returns the answer's body. Where the server asks for its token, so does the
 * page, and then sends the request again.
 * @param {string} method
 * @param {string} path
 * @param {object} [body] sent as JSON
 * @returns {Promise<any>} what the JSON says; null for an empty answer
 * @throws {ApiError|GoneError}
 */
export async function call(method, path, body) {
  for (;;) {
    const answer = await send(method, path, body);
    if (answer.ok) return await content(answer);
    const problem = (await content(answer))?.error ?? {};
    const error = new ApiError(answer.status, problem);
    if (answer.status !== 401 || !(await askForToken())) throw error;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<Response>}
 */
async function send(method, path, body) {
  /** @type {RequestInit} */
  const request = { method, cache: "no-store" };
  if (body) {
    request.headers = { "Content-Type": "application/json" };
    request.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, request);
  } catch {
    lost();
    throw new GoneError();
  }
}

/**
 * @param {Response} answer
 * @returns {Promise<any>} the JSON of an answer; null where it has none
 */
async function content(answer) {
  try {
    return await answer.json();
  } catch {
    return null;
  }
}
