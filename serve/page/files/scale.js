// Scales of a plot: from numbers to places on an axis, and which numbers are written there.

/**
 * @typedef {object} Scale
 * @property {(value: number) => number} at the place of a number: 0 at the axis' start, 1 at its end
 * @property {(place: number) => number} value the number at a place
 * @property {number[]} ticks numbers to write, in order
 */

/**
 * Returns a scale that holds numbers, with round numbers as ticks.
 * @param {number} low the least number
 * @param {number} high the greatest
 * @param {number} count ticks that there should be, about
 * @returns {Scale}
 */
export function linear(low, high, count) {
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= 1e-9 * size) [low, high] = [low - (size || 1) / 2, high + (size || 1) / 2];
  let ticks = multiples(low, high, roundStep((high - low) / count));
  // One number says nothing of the scale.
  for (let n = count + 1; ticks.length < 2 && n < 20 * count; n++) {
    ticks = multiples(low, high, roundStep((high - low) / n));
  }
  return {
    at: (value) => (value - low) / (high - low),
    value: (place) => low + place * (high - low),
    ticks,
  };
}

/**
 * Returns a logarithmic scale. Its ticks are powers of ten, and numbers between where these are few.
 * @param {number} low the least number, above 0
 * @param {number} high the greatest
 * @returns {Scale}
 */
export function logarithmic(low, high) {
  if (low === high) [low, high] = [low / 2, high * 2];
  const [from, to] = [Math.log10(low), Math.log10(high)];
  return {
    at: (value) => (Math.log10(value) - from) / (to - from),
    value: (place) => 10 ** (from + place * (to - from)),
    ticks: to - from < 1 ? linear(low, high, 5).ticks : powers(low, high, to - from > 3 ? [1] : [1, 2, 5]),
  };
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} step
 * @returns {number[]} the multiples of a step that lie between
 */
function multiples(low, high, step) {
  const all = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    all.push(Number((i * step).toPrecision(12)));
  }
  return all;
}

/**
 * @param {number} low above 0
 * @param {number} high
 * @param {number[]} factors
 * @returns {number[]} the factors times powers of ten that lie between
 */
function powers(low, high, factors) {
  const all = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    all.push(...factors.map((factor) => Number((factor * 10 ** power).toPrecision(12))));
  }
  return all.filter((value) => value >= low && value <= high);
}

/**
 * @param {number} step
 * @returns {number} the least of 1, 2, 5 times a power of ten that is no smaller
 */
function roundStep(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 5, 10].find((f) => f * power >= step * (1 - 1e-9)) ?? 10;
  return factor * power;
}
