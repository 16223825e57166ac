// What is wrong, next to the control that it is about. In a form, each element with data-param
// stands for the fields of a request that it names, and its .problem says what is wrong there.

let made = 0; // ids given so far

/**
 * Shows an error: at the control that its param names, else at the form's general place.
 * @param {HTMLElement} form
 * @param {{message: string, param?: string|null}} error
 */
export function show(form, error) {
  const place = placeOf(form, error.param);
  const text = place?.querySelector(".problem") ?? form.querySelector('[data-part="general"]');
  if (!(text instanceof HTMLElement)) throw new Error("the form has no place for problems");
  text.textContent = error.message;
  text.hidden = false;
  const control = place?.querySelector("input:not([hidden]), select:not([hidden]), button");
  if (!(control instanceof HTMLElement)) return;
  text.id ||= `problem-${++made}`;
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", text.id);
  const folded = place?.closest("details");
  if (folded) folded.open = true;
  control.focus();
}

/**
 * @param {HTMLElement} form
 * @param {string|null|undefined} param
 * @returns {Element|null} the place of a field, where a person can see it
 */
function placeOf(form, param) {
  if (!param) return null;
  const place = form.querySelector(`[data-param~="${CSS.escape(param)}"]`);
  return place && !place.closest("[hidden]") ? place : null;
}

/**
 * Takes back all that was shown.
 * @param {HTMLElement} form
 */
export function clear(form) {
  for (const text of form.querySelectorAll(".problem")) {
    text.textContent = "";
    /** @type {HTMLElement} */ (text).hidden = true;
  }
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
}

/**
 * Shows what the browser finds wrong with the first control that can be seen.
 * @param {HTMLElement} form
 * @returns {boolean} whether all is right
 */
export function valid(form) {
  clear(form);
  for (const control of form.querySelectorAll("input, select")) {
    const input = /** @type {HTMLInputElement} */ (control);
    if (input.closest("[hidden]") || input.validity.valid) continue;
    const names = input.closest("[data-param]")?.getAttribute("data-param") ?? "";
    show(form, { message: input.validationMessage, param: names.split(" ")[0] });
    return false;
  }
  return true;
}
