// Dialogs with a form that is sent to the server.

import { ApiError } from "./api.js";
import { clear, show, valid } from "./problems.js";

/**
 * Makes a dialog send its form, and close when the server took it.
 * @param {HTMLDialogElement} dialog with one form in it
 * @param {() => Promise<void>} send
 */
export function asks(dialog, send) {
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!valid(form)) return;
    const submit = /** @type {HTMLButtonElement} */ (form.querySelector('[type="submit"]'));
    submit.disabled = true;
    try {
      await send();
      dialog.close();
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      show(form, { message, param: error instanceof ApiError ? error.param : null });
    } finally {
      submit.disabled = false;
    }
  });
  form.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
}

/**
 * Opens a dialog with its form as it was at first.
 * @param {HTMLDialogElement} dialog
 */
export function open(dialog) {
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
  form.reset();
  clear(form);
  dialog.showModal();
}

/**
 * Returns the fields of a request that are filled in.
 * @param {Record<string, HTMLInputElement|HTMLSelectElement>} controls by the names of fields
 * @returns {Record<string, string|number>} numbers where the control takes numbers
 */
export function filled(controls) {
  /** @type {Record<string, string|number>} */
  const fields = {};
  for (const [name, control] of Object.entries(controls)) {
    if (control.value !== "") fields[name] = control.type === "number" ? Number(control.value) : control.value;
  }
  return fields;
}

/**
 * Lets one of two controls be filled in: a budget is of time or of steps.
 * @param {HTMLInputElement} a
 * @param {HTMLInputElement} b
 */
export function oneOf(a, b) {
  a.addEventListener("input", () => { b.value = ""; });
  b.addEventListener("input", () => { a.value = ""; });
}
