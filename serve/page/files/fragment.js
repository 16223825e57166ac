// What the page shows, in the fragment of its address: #draw?model=mnist&seed=5. A reload or a link
// shows the same.

/**
 * @typedef {object} Place
 * @property {string} tab "draw" or "runs"
 * @property {URLSearchParams} values
 */

/** @returns {Place} what the address says */
export function read() {
  const [tab, query] = location.hash.slice(1).split("?", 2);
  return { tab: tab === "runs" ? "runs" : "draw", values: new URLSearchParams(query ?? "") };
}

/**
 * Writes the address. It is no step for the browser's "back".
 * @param {string} tab
 * @param {Record<string, string|number|undefined>} values those that are undefined or empty are left out
 */
export function write(tab, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  history.replaceState(null, "", `#${tab}${text ? `?${text}` : ""}`);
}
