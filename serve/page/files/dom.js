// Small helpers for the document: all other modules reach it through these.

/**
 * Returns the element of index.html that has an id. A name that is not there is a mistake of ours.
 * @param {string} id
 * @returns {any} the element; its kind is known to the caller
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element #${id}`);
  return found;
}

/**
 * Returns a fresh copy of what a <template> holds.
 * @param {string} id
 * @returns {any}
 */
export function copyOf(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/**
 * Returns the element in a root whose data-part has a name.
 * @param {Element} root
 * @param {string} name
 * @returns {any}
 */
export function part(root, name) {
  const found = root.querySelector(`[data-part="${name}"]`);
  if (!found) throw new Error(`there is no part ${name}`);
  return found;
}

/**
 * Makes an element with children. Texts stay texts: nothing is read as HTML.
 * @param {string} tag
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function element(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

/**
 * Fills a <select> with options, and keeps what was chosen where it is still there.
 * @param {HTMLSelectElement} select
 * @param {[value: string, text: string][]} choices
 */
export function fill(select, choices) {
  const before = select.value;
  select.replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
  if (choices.some(([value]) => value === before)) select.value = before;
}

/**
 * @param {string} name
 * @returns {[value: string, text: string]} a choice that is called what it is
 */
export function alike(name) {
  return [name, name];
}

/**
 * Fills a list of descriptions with pairs of a term and what is said of it.
 * @param {HTMLElement} list a <dl>
 * @param {[term: string, text: string][]} pairs
 */
export function describe(list, pairs) {
  list.replaceChildren(...pairs.map(([term, text]) =>
    element("div", element("dt", term), element("dd", text))));
}

/**
 * Has screen readers say a text, when they have said what they are at.
 * @param {string} text
 */
export function announce(text) {
  byId("announcer").textContent = text;
}

/**
 * Makes a button copy the text of an element, and say that it did.
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} source
 */
export function copies(button, source) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent ?? "");
      button.textContent = "Copied";
      announce("Copied");
    } catch {
      getSelection()?.selectAllChildren(source);
      button.textContent = "Selected";
      announce("The browser does not let the page copy. The text is selected.");
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  });
}
