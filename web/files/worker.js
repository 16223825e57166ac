// Draws, apart from the page: it loads the program and the model, and answers the page's messages.
//
//   from the page   {kind: "draw", id, seed, steps, images: [{index, class}]}, or {kind: "stop"}
//   to the page     {kind: "ready", classes, steps, height, width}, once
//                   {kind: "state", id, image, step, pixels}
//                   {kind: "done", id, seconds}, {kind: "stopped", id}, {kind: "failed", text}
//
// A message to draw ends the drawing before it.

import "./wasm_exec.js"; // makes Go global

/**
 * Loads a file that lies beside this one.
 * @param {string} name
 * @returns {Promise<Uint8Array>}
 */
async function load(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: the server says ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/**
 * Starts a program of Go.
 * @param {Uint8Array} file the program, compressed by gzip unless the browser has unpacked it already
 */
async function start(file) {
  const compressed = file[0] === 0x1f && file[1] === 0x8b;
  const stream = new Blob([file]).stream();
  const program = compressed ? stream.pipeThrough(new DecompressionStream("gzip")) : stream;
  // The type is said here, as not every server knows it.
  const answer = new Response(program, { headers: { "Content-Type": "application/wasm" } });
  const go = new globalThis.Go();
  const { instance } = await WebAssembly.instantiateStreaming(answer, go.importObject);
  go.run(instance).then(() => fail("the program that draws has ended: load the page again"), fail);
}

/** @returns {Promise<any>} the model, as wasm/main.go describes it */
async function open() {
  const weights = load("mnist-fast.safetensors");
  await start(await load("fmimg.wasm.gzip"));
  const model = globalThis.fmimgModel(await weights);
  if (typeof model === "string") throw new Error(model);
  return model;
}

/** The drawing that is under way, or the last one. */
let current = 0;
/** Ends when no drawing is under way. @type {Promise<void>} */
let free = Promise.resolve();

/**
 * Draws what a message asks for, image after image.
 * @param {any} model
 * @param {{id: number, seed: string, steps: number, images: {index: number, class: number}[]}} what
 */
async function draw(model, { id, seed, steps, images }) {
  const began = performance.now();
  for (const [image, { index, class: digit }] of images.entries()) {
    const show = (/** @type {number} */ step, /** @type {Uint8Array} */ pixels) =>
      postMessage({ kind: "state", id, image, step, pixels });
    try {
      await model.draw({ seed, steps, index, class: digit }, show);
    } catch (text) {
      if (current === id) throw new Error(String(text));
    }
    if (current !== id) {
      postMessage({ kind: "stopped", id });
      return;
    }
  }
  postMessage({ kind: "done", id, seconds: (performance.now() - began) / 1000 });
}

/** @param {unknown} error */
function fail(error) {
  postMessage({ kind: "failed", text: error instanceof Error ? error.message : String(error) });
}

const opened = open();
opened.then(({ classes, steps, height, width }) =>
  postMessage({ kind: "ready", classes, steps, height, width }), fail);

addEventListener("message", async ({ data }) => {
  const model = await opened;
  current = data.kind === "draw" ? data.id : -1;
  model.stop();
  if (data.kind === "draw") free = free.then(() => current === data.id ? draw(model, data) : postMessage({ kind: "stopped", id: data.id })).catch(fail);
});
