// The dialog that distils a run.

import { call } from "./api.js";
import { asks, filled, open } from "./asking.js";
import { byId } from "./dom.js";

let teacher = ""; // the run that is asked about

/**
 * Makes the dialog work.
 * @param {(run: string) => void} started told the name of the new run
 */
export function offerDistil(started) {
  asks(byId("distil"), async () => {
    const request = filled({
      name: byId("distil-name"),
      steps: byId("distil-steps"),
      guidance: byId("distil-guidance"),
    });
    started((await call("POST", `/v1/runs/${encodeURIComponent(teacher)}/distil`, request)).name);
  });
}

/** @param {string} run to distil */
export function askToDistil(run) {
  teacher = run;
  byId("distil-title").textContent = `Distil ${run}`;
  open(byId("distil"));
}
