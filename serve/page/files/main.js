// The page of the server: two tabs, and the address that says what they show. Start reading here.

import { connection } from "./connection.js";
import { byId } from "./dom.js";
import { DrawTab } from "./drawtab.js";
import * as fragment from "./fragment.js";
import { RunsTab } from "./runstab.js";
import { tabs } from "./tabs.js";
import { startTheme } from "./theme.js";

startTheme();
const draw = new DrawTab();
const runs = new RunsTab();
const showTab = tabs(byId("tabs"), (tab) => show(tab, new URLSearchParams()));

/**
 * Shows a tab, and what the address says of it.
 * @param {string} tab
 * @param {URLSearchParams} values
 */
function show(tab, values) {
  showTab(tab);
  if (tab === "runs") {
    runs.show(values);
    return;
  }
  runs.hide();
  if (draw.bare || values.size > 0) draw.start(values);
  else draw.again();
}

/** Shows what the address says; a link in the page may have changed it. */
function showAddress() {
  const { tab, values } = fragment.read();
  show(tab, values);
}

document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault(); // the address keeps what it says
  byId("main").focus();
});
addEventListener("hashchange", showAddress);
connection.addEventListener("back", () => {
  if (draw.bare) showAddress();
});
showAddress();
