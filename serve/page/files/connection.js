// Whether the server answers. When it does not, a banner says so, and it is asked again until it
// does.

import { byId } from "./dom.js";

const every = 1500; // milliseconds between two questions

let gone = false;

/** Fires "back" when a server that was gone answers again. */
export const connection = new EventTarget();

/** Says that a request failed without an answer. */
export function lost() {
  if (gone) return;
  gone = true;
  const banner = byId("connection");
  banner.textContent = "The server does not answer. This page asks it again until it does.";
  banner.hidden = false;
  ask();
}

/** Asks whether the server is there, for those who only know that a stream broke. */
export async function check() {
  if (!gone && !(await answers())) lost();
}

async function ask() {
  while (!(await answers())) await new Promise((go) => setTimeout(go, every));
  gone = false;
  byId("connection").hidden = true;
  connection.dispatchEvent(new Event("back"));
}

/** @returns {Promise<boolean>} */
async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/** @returns {Promise<void>} ends when the server answers, at once if nothing is known against it. */
export function present() {
  if (!gone) return Promise.resolve();
  return new Promise((go) => connection.addEventListener("back", () => go(), { once: true }));
}
