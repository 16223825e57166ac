// Tabs: one panel at a time, chosen by click or by arrow keys.

/**
 * Makes tabs of the buttons in a tablist. Each controls the panel of its aria-controls.
 * @param {HTMLElement} list
 * @param {(panel: string) => void} chosen told the id of the panel that a person chose
 * @returns {(panel: string) => void} shows a panel
 */
export function tabs(list, chosen) {
  const buttons = /** @type {HTMLButtonElement[]} */ ([...list.querySelectorAll('[role="tab"]')]);
  const panelOf = (/** @type {Element} */ button) => button.getAttribute("aria-controls") ?? "";

  const show = (/** @type {string} */ panel) => {
    for (const button of buttons) {
      const selected = panelOf(button) === panel;
      button.setAttribute("aria-selected", String(selected));
      button.tabIndex = selected ? 0 : -1;
      const controlled = document.getElementById(panelOf(button));
      if (controlled) controlled.hidden = !selected;
    }
  };
  const choose = (/** @type {HTMLButtonElement} */ button) => {
    button.focus();
    show(panelOf(button));
    chosen(panelOf(button));
  };

  for (const button of buttons) button.addEventListener("click", () => choose(button));
  list.addEventListener("keydown", (event) => {
    const seen = buttons.filter((button) => !button.hidden);
    const at = seen.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: seen.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(seen[(to + seen.length) % seen.length]);
  });
  show(panelOf(buttons[0]));
  return show;
}
