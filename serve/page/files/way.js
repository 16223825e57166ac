// A slider over the states between noise and image.

/** A slider over the steps of a solver: 0 is noise, the last is the image. */
export class Way {
  /**
   * @param {HTMLInputElement} slider
   * @param {HTMLOutputElement} output says where the slider is
   * @param {() => void} moved called when a person moves it
   */
  constructor(slider, output, moved) {
    this.slider = slider;
    this.output = output;
    slider.addEventListener("input", () => {
      this.#tell();
      moved();
    });
    this.setSteps(0);
  }

  /**
   * Sets how many steps there are, and goes to the last.
   * @param {number} steps 0: there is no way to show
   */
  setSteps(steps) {
    this.slider.disabled = steps === 0;
    this.slider.max = String(Math.max(steps, 1));
    this.slider.value = this.slider.max;
    this.#tell();
  }

  /** @returns {number} the step that is shown; Infinity for the image itself, however many steps */
  get step() {
    return this.slider.value === this.slider.max ? Infinity : Number(this.slider.value);
  }

  #tell() {
    const { value, max, disabled } = this.slider;
    const words = disabled ? "" : value === "0" ? "noise" : value === max ? "image" : `step ${value} of ${max}`;
    this.output.textContent = words;
    this.slider.setAttribute("aria-valuetext", words);
  }
}

/**
 * Returns the state at a step, or the last one before it, or else the first one.
 * @param {Map<number, string>} states URLs by step
 * @param {number} step
 * @returns {string|undefined} undefined where there is no state
 */
export function stateAt(states, step) {
  const steps = [...states.keys()].sort((a, b) => a - b);
  const at = steps.findLast((known) => known <= step) ?? steps[0];
  return at === undefined ? undefined : states.get(at);
}
