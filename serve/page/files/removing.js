// The dialog that deletes a run, when its name was typed.

import { call } from "./api.js";
import { asks, open } from "./asking.js";
import { byId } from "./dom.js";

let doomed = ""; // the run that is asked about

/**
 * Makes the dialog work.
 * @param {(run: string) => void} removed told the name of a run that is gone
 */
export function offerRemove(removed) {
  const button = byId("remove-button");
  byId("remove-name").addEventListener("input", () => {
    button.disabled = byId("remove-name").value !== doomed;
  });
  asks(byId("remove"), async () => {
    const name = encodeURIComponent(doomed);
    await call("DELETE", `/v1/runs/${name}?confirm=${encodeURIComponent(byId("remove-name").value)}`);
    removed(doomed);
  });
}

/** @param {string} run to delete */
export function askToRemove(run) {
  doomed = run;
  byId("remove-which").textContent = run;
  open(byId("remove"));
  byId("remove-button").disabled = true;
}
