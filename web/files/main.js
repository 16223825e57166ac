// The page: what to draw, and what was drawn. worker.js draws.

import { announce, byId, copies, copyOf } from "./dom.js";
import { Gallery } from "./gallery.js";
import { startTheme } from "./theme.js";
import { number } from "./units.js";
import { stateAt, Way } from "./way.js";

/** The chip for one digit of each class. */
const every = "all";

/** What the model offers. @type {{classes: string[], steps: number[], height: number, width: number}} */
let model;

/**
 * What is shown: the states of each image by step, as URLs.
 * @type {{id: number, steps: number, classes: number[], states: Map<number, string>[], seen: number}}
 */
let shown = { id: 0, steps: 1, classes: [], states: [], seen: 0 };

/** Which image's way is shown. */
let chosen = 0;

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const gallery = new Gallery(byId("grid"), choose);
const way = new Way(byId("way"), byId("way-step"), show);

/** @param {string} text */
function say(text) {
  byId("status").textContent = text;
}

/** @param {boolean} drawing whether a drawing is under way */
function busy(drawing) {
  byId("stop").disabled = !drawing;
  byId("save").disabled = drawing || !model;
}

/**
 * Offers what the model can do, and draws a first digit.
 * @param {typeof model} offered
 */
function offer(offered) {
  performance.mark("fmimg-ready");
  model = offered;
  for (const name of [...model.classes, every]) {
    const chip = copyOf("chip-template");
    const [box, text] = chip.children;
    text.textContent = name;
    box.value = name;
    box.checked = name === model.classes.at(5);
    byId("chips").append(chip);
  }
  byId("steps").replaceChildren(...model.steps.map((steps) => new Option(String(steps))));
  byId("steps").value = String(Math.max(...model.steps));
  byId("draw-button").disabled = byId("dice").disabled = false;
  byId("status").textContent = "Ready.";
  follow();
}

/** Draws what the address says, and what the controls say where it is silent. */
function follow() {
  const values = new URLSearchParams(location.hash.slice(1));
  const named = [...byId("chips").querySelectorAll("input")].find((box) => box.value === values.get("class"));
  if (named) named.checked = true;
  for (const name of ["seed", "steps"]) {
    const before = byId(name).value;
    byId(name).value = values.get(name) ?? before;
    if (byId(name).value === "") byId(name).value = before;
  }
  draw();
}

/** @returns {HTMLInputElement|null} the chip that is checked */
function picked() {
  return byId("chips").querySelector("input:checked");
}

/** @returns {boolean} whether the seed can be used; if not, the page says why */
function seedIsRight() {
  const seed = byId("seed");
  const right = seed.validity.valid && seed.value !== "";
  byId("seed-problem").textContent = right ? "" : `A whole number from 0 to ${seed.max} is needed.`;
  byId("seed-problem").hidden = right;
  seed.setAttribute("aria-invalid", String(!right));
  if (!right) seed.focus();
  return right;
}

/** Has the worker draw what the controls say. */
function draw() {
  if (!seedIsRight()) return;
  const [name, seed, steps] = [picked()?.value ?? every, byId("seed").value, Number(byId("steps").value)];
  const classes = name === every ? model.classes.map((_, i) => i) : [model.classes.indexOf(name)];
  shown = { id: shown.id + 1, steps, classes, states: classes.map(() => new Map()), seen: 0 };
  byId("problem").hidden = true;
  gallery.lay(classes.length, model.width / model.height);
  way.setSteps(steps);
  layStates();
  choose(0);
  busy(true);
  tell();
  history.replaceState(null, "", `#${new URLSearchParams({ class: name, seed, steps: String(steps) })}`);
  byId("command").textContent = `fmimg generate --model mnist-fast --class ${name === every ? classes.join() : name} ` +
    `--count ${classes.length} --seed ${seed} --steps ${steps} --isa generic --out digits.png`;
  byId("command-row").hidden = false;
  const images = classes.map((digit, index) => ({ index, class: digit }));
  worker.postMessage({ kind: "draw", id: shown.id, seed, steps, images });
}

/** Says how far the drawing is. */
function tell() {
  const all = shown.classes.length * shown.steps;
  byId("progress").max = all;
  byId("progress").value = shown.seen;
  say(`Drawing: step ${shown.seen} of ${all}.`);
}

/** Lays a place for each state of the image that is chosen. */
function layStates() {
  byId("states").replaceChildren(...Array.from({ length: shown.steps + 1 }, (_, step) => {
    const place = copyOf("state-template");
    place.lastElementChild.textContent = `t = ${number(step / shown.steps)}`;
    return place;
  }));
}

/**
 * Shows the way of an image.
 * @param {number} image
 */
function choose(image) {
  chosen = image;
  gallery.tiles.forEach((tile, i) => tile.firstElementChild.setAttribute("aria-pressed", String(i === image)));
  show();
}

/** Shows all images at the step of the slider, and the states of the one that is chosen. */
function show() {
  shown.states.forEach((states, image) => {
    const url = stateAt(states, way.step);
    if (url) gallery.show(image, url, describe(image, Math.min(way.step, Math.max(...states.keys()))));
  });
  [...byId("states").children].forEach((place, step) => {
    const url = shown.states[chosen]?.get(step);
    const picture = place.querySelector("img");
    if (url) picture.src = url;
    else picture.removeAttribute("src");
    picture.alt = url ? describe(chosen, step) : "";
    place.setAttribute("aria-current", String(step === Math.min(way.step, shown.steps)));
  });
}

/**
 * @param {number} image
 * @param {number} step
 * @returns {string} what a state shows
 */
function describe(image, step) {
  const name = model.classes[shown.classes[image] ?? 0];
  if (step === 0) return `noise, which becomes a ${name}`;
  return step === shown.steps ? `a drawn ${name}` : `a ${name} after step ${step} of ${shown.steps}`;
}

/**
 * @param {Uint8Array} pixels gray
 * @param {HTMLCanvasElement} canvas as large as the image
 */
function paint(pixels, canvas) {
  const picture = new ImageData(model.width, model.height);
  pixels.forEach((gray, i) => picture.data.set([gray, gray, gray, 255], 4 * i));
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(picture, 0, 0);
}

/**
 * Shows a state that the worker sends.
 * @param {{image: number, step: number, pixels: Uint8Array}} state
 */
function take({ image, step, pixels }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [model.width, model.height];
  paint(pixels, canvas);
  shown.states[image]?.set(step, canvas.toDataURL());
  if (step > 0) shown.seen++;
  if (step === shown.steps) gallery.finish(image);
  show();
  tell();
}

/** @param {number} seconds that the drawing took */
function finish(seconds) {
  performance.mark("fmimg-drawn");
  const all = shown.classes.length * shown.steps;
  const names = shown.classes.map((digit) => model.classes[digit]).join(", ");
  say(`Drawn in ${number(seconds, 2)} s, ${number(seconds / all, 2)} s a step.`);
  announce(`Drawn: ${names}.`);
  busy(false);
}

/** Saves the images that are shown side by side, with each pixel as 8 × 8. */
async function save() {
  const canvas = document.createElement("canvas");
  const [width, height] = [8 * model.width, 8 * model.height];
  [canvas.width, canvas.height] = [width * gallery.tiles.length, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingEnabled = false;
  gallery.tiles.forEach((tile, i) => context.drawImage(tile.querySelector("img"), i * width, 0, width, height));
  const link = document.createElement("a");
  link.href = canvas.toDataURL();
  link.download = "digits.png";
  link.click();
}

/** @param {string} text what went wrong */
function fail(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = false;
  byId("progress").value = 0;
  say("That did not work.");
  busy(false);
}

worker.addEventListener("message", ({ data }) => {
  if (data.kind === "ready") offer(data);
  else if (data.kind === "failed") fail(data.text);
  else if (data.id !== shown.id) return; // of a drawing that is over
  else if (data.kind === "state") take(data);
  else if (data.kind === "done") finish(data.seconds);
  else if (data.kind === "stopped") {
    say(`Stopped after step ${shown.seen}.`);
    busy(false);
  }
});
worker.addEventListener("error", (event) => fail(event.message || "The program that draws could not be loaded."));

addEventListener("hashchange", () => {
  if (model && new URLSearchParams(location.hash.slice(1)).has("class")) follow(); // a link in the same tab
});
byId("settings").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  draw();
});
byId("dice").addEventListener("click", () => {
  byId("seed").value = String(Math.floor(Math.random() * 1e6));
  draw();
});
byId("stop").addEventListener("click", () => worker.postMessage({ kind: "stop" }));
byId("save").addEventListener("click", save);
copies(byId("copy-command"), byId("command"));
gallery.lay(1, 1); // the place of the first digit
startTheme();
