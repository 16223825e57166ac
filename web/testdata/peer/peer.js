// Draws by onnxruntime-web what page_test.go wants to compare with.

/**
 * Draws one image several times with a graph that draws.
 * @param {number} threads
 * @param {number[]} noise
 * @param {number} digit its class
 * @returns {Promise<{load: number, runs: number[], image: number[]}>} times in seconds
 */
globalThis.measure = async (threads, noise, digit) => {
  const begun = performance.now();
  const ort = await import("/ort/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = "/ort/";
  const session = await ort.InferenceSession.create("/drawing.onnx", { executionProviders: ["wasm"] });
  const load = (performance.now() - begun) / 1000;
  const inputs = {
    noise: new ort.Tensor("float32", Float32Array.from(noise), [1, 1, 28, 28]),
    y: new ort.Tensor("int64", BigInt64Array.from([BigInt(digit)]), [1]),
  };
  const runs = [];
  let image = [];
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    const result = await session.run(inputs);
    image = Array.from(await result.image.getData());
    runs.push((performance.now() - start) / 1000);
  }
  return { load, runs, image };
};
