// The dialog that asks for the server's token.

import { byId } from "./dom.js";
import { clear, show } from "./problems.js";

/** @type {Promise<boolean>|null} the dialog that is open */
let asking = null;

/**
 * Asks for the token until the server takes it; all who ask at once share one dialog.
 * @returns {Promise<boolean>} false if the dialog was closed without one
 */
export function askForToken() {
  asking ??= open().finally(() => { asking = null; });
  return asking;
}

/** @returns {Promise<boolean>} */
function open() {
  const dialog = byId("login");
  const form = byId("login-form");
  return new Promise((resolve) => {
    let known = false;
    form.onsubmit = async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      clear(form);
      const problem = await login(byId("token").value);
      if (problem) {
        show(form, { message: problem, param: "token" });
        return;
      }
      known = true;
      form.reset();
      dialog.close();
    };
    dialog.onclose = () => resolve(known);
    dialog.showModal();
  });
}

/**
 * @param {string} token
 * @returns {Promise<string>} what is wrong; empty: nothing
 */
async function login(token) {
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) return "";
    return (await answer.json().catch(() => null))?.error?.message ?? "This is not the token.";
  } catch {
    return "The server does not answer.";
  }
}
