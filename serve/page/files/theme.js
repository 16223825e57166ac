// Light or dark: as the system has it, or as a person chose.

import { byId } from "./dom.js";

const key = "fmimg-theme";

/** Shows the colours that were chosen last, and lets others be chosen. */
export function startTheme() {
  const select = byId("theme");
  select.value = stored();
  apply(select.value);
  select.addEventListener("change", () => {
    apply(select.value);
    try {
      localStorage.setItem(key, select.value);
    } catch {
      // A browser that keeps nothing shows the choice until the page is left.
    }
  });
}

/** @param {string} theme "light", "dark", or "" for that of the system */
function apply(theme) {
  document.documentElement.dataset.theme = theme;
}

/** @returns {string} */
function stored() {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}
