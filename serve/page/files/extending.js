// The dialog that gives a run a larger budget.

import { call } from "./api.js";
import { asks, filled, oneOf, open } from "./asking.js";
import { byId } from "./dom.js";

let ended = ""; // the run that is asked about

/**
 * Makes the dialog work.
 * @param {() => void} resumed called when the run trains again
 */
export function offerExtend(resumed) {
  oneOf(byId("extend-minutes"), byId("extend-steps"));
  asks(byId("extend"), async () => {
    const budget = filled({ minutes: byId("extend-minutes"), steps: byId("extend-steps") });
    await call("POST", `/v1/runs/${encodeURIComponent(ended)}/resume`, budget);
    resumed();
  });
}

/** @param {string} run to train further */
export function askToExtend(run) {
  ended = run;
  byId("extend-title").textContent = `Train ${run} further`;
  open(byId("extend"));
}
