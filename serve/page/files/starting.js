// The dialog that starts a training.

import { call } from "./api.js";
import { asks, filled, oneOf, open } from "./asking.js";
import { alike, byId, fill } from "./dom.js";
import { show } from "./problems.js";

/** @type {Map<string, string>} what is said of each data set, by its name */
const about = new Map();

/**
 * Makes the button open the dialog.
 * @param {(run: string) => void} started told the name of the run
 */
export function offerStart(started) {
  const data = byId("start-data");
  asks(byId("start"), async () => started((await call("POST", "/v1/runs", request())).name));
  data.addEventListener("change", tell);
  byId("start-open").addEventListener("click", async () => {
    open(byId("start"));
    try {
      const sets = (await call("GET", "/v1/data")).data;
      about.clear();
      for (const set of sets) about.set(set.name, set.about);
      fill(data, [...about.keys()].map(alike));
      tell();
    } catch (error) {
      show(byId("start-form"), /** @type {Error} */ (error));
    }
  });
  oneOf(byId("start-minutes"), byId("start-steps"));
}

function tell() {
  byId("start-about").textContent = about.get(byId("start-data").value) ?? "";
}

/** @returns {object} the body of POST /v1/runs */
function request() {
  return {
    ...filled({
      data: byId("start-data"),
      name: byId("start-name"),
      preset: byId("start-preset"),
      minutes: byId("start-minutes"),
      steps: byId("start-steps"),
      size: byId("start-size"),
      batch: byId("start-batch"),
      seed: byId("start-seed"),
    }),
    ...(byId("start-flip").checked ? { flip: true } : {}),
  };
}
