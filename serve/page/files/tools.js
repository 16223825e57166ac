// What can be made of an image: variations, the way to another one, a part anew, its likelihood.

import { Cells } from "./cells.js";
import { quote } from "./classes.js";
import { byId, copies, copyOf, fill } from "./dom.js";
import { Mask } from "./mask.js";
import { modelOf } from "./models.js";
import { clear, show, valid } from "./problems.js";
import { caption, Stage } from "./stage.js";
import { tabs } from "./tabs.js";
import { readPicture } from "./upload.js";

/** What each tool is called on its button, what its count counts, and which fields it has. */
const tools = {
  vary: { button: "Vary", count: "Variations", fields: ["count", "seed", "class"] },
  interpolate: { button: "Interpolate", count: "Images on the way", fields: ["count", "class"] },
  inpaint: { button: "Draw it anew", count: "Images", fields: ["count", "seed", "class"] },
  likelihood: { button: "Find its likelihood", count: "", fields: ["class"] },
};

/** @typedef {keyof typeof tools} Tool */

/** The tools of the panel. */
export class Tools {
  /** @param {(drawing: import("./drawing.js").Drawing, index: number) => void} open a result */
  constructor(open) {
    this.form = byId("edit");
    this.mask = new Mask(byId("mask"),
      () => ({ size: Number(byId("brush").value), erase: byId("erase").checked }),
      () => this.#maskChanged());
    this.cells = new Cells(byId("cells"), this.mask);
    /** @type {Tool} */
    this.tool = "vary";
    /** @type {import("./panel.js").Subject|null} */
    this.subject = null;
    /** @type {{url: string, className: string|null}|null} the other image, with its class if known */
    this.other = null;
    this.stage = new Stage({
      form: this.form,
      grid: byId("results"),
      status: byId("edit-status"),
      progress: byId("edit-progress"),
      cancel: byId("edit-cancel"),
      command: byId("edit-command"),
      notes: byId("edit-notes"),
      changed: (drawing) => { byId("edit-command-row").hidden = !drawing.job?.command; },
    }, open);
    this.showTool = tabs(byId("tools"), (id) => this.#choose(/** @type {Tool} */ (id)));
    this.#listen();
  }

  /** @param {import("./panel.js").Subject} subject that the tools are used on */
  setSubject(subject) {
    const model = modelOf(subject.model);
    this.subject = subject;
    this.leave();
    clear(this.form);
    this.mask.setSize(model?.width ?? 1, model?.height ?? 1);
    byId("brush").max = String(Math.max(2, Math.round((model?.width ?? 28) / 2)));
    byId("edit-class").replaceChildren();
    fill(byId("edit-class"), [["", "not said"],
      ...(model?.classes ?? []).map((name) => /** @type {[string, string]} */ ([quote(name), name]))]);
    byId("edit-class").value = subject.className === null ? "" : quote(subject.className);
    if (byId("edit-class").selectedIndex < 0) byId("edit-class").value = "";
    this.#offer(model);
    this.#choose(this.tool);
  }

  /** Gives up what is being drawn; shows nothing of it. */
  leave() {
    this.stage.empty();
    byId("edit-command-row").hidden = true;
  }

  /** @param {import("./drawing.js").Drawing|null} drawing whose images can be the other one */
  offerOthers(drawing) {
    this.other = null;
    byId("others").replaceChildren();
    drawing?.pictures.forEach((picture, index) => {
      if (picture.url) this.#addOther({ url: picture.url, className: picture.className }, caption(index, picture));
    });
  }

  /**
   * @param {{url: string, className: string|null}} other
   * @param {string} alt
   * @returns {HTMLInputElement} the radio button that chooses it
   */
  #addOther(other, alt) {
    const item = copyOf("other-template");
    const radio = item.querySelector("input");
    item.querySelector("img").src = other.url;
    item.querySelector("img").alt = alt;
    radio.addEventListener("change", () => { this.other = other; });
    byId("others").append(item);
    return radio;
  }

  /** @param {import("./models.js").Model|undefined} model */
  #offer(model) {
    const missing = !model?.edits && !model?.likelihood;
    byId("tools-missing").hidden = !missing;
    byId("tools-missing").textContent =
      `${this.subject?.model} draws images and does nothing else. Another model may change them.`;
    byId("tools-present").hidden = missing;
    for (const tool of Object.keys(tools)) {
      byId(`tool-${tool}`).hidden = tool === "likelihood" ? !model?.likelihood : !model?.edits;
    }
    if (!missing && byId(`tool-${this.tool}`).hidden) this.tool = model?.edits ? "vary" : "likelihood";
  }

  /** @param {Tool} tool */
  #choose(tool) {
    this.tool = tool;
    this.showTool(tool);
    clear(this.form);
    const { button, count, fields } = tools[tool];
    const classes = modelOf(this.subject?.model ?? "")?.classes?.length;
    byId("edit-button").textContent = button;
    byId("edit-count-label").textContent = count;
    byId("edit-count-row").hidden = !fields.includes("count");
    byId("edit-seed-row").hidden = !fields.includes("seed");
    byId("edit-class-row").hidden = !fields.includes("class") || !classes;
    byId("mask").hidden = tool !== "inpaint";
  }

  #listen() {
    this.form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      if (valid(this.form) && this.#complete()) this.#run();
    });
    for (const name of ["level", "brush"]) {
      byId(name).addEventListener("input", () => { byId(`${name}-value`).textContent = byId(name).value; });
    }
    for (const button of document.querySelectorAll("[data-half]")) {
      button.addEventListener("click", () => this.mask.half(button.getAttribute("data-half") ?? ""));
    }
    byId("mask-clear").addEventListener("click", () => this.mask.clear());
    byId("other-upload").addEventListener("change", () => this.#uploadOther(byId("other-upload")));
    copies(byId("copy-edit-command"), byId("edit-command"));
  }

  #maskChanged() {
    const share = this.mask.share();
    byId("mask-share").textContent = share === 0
      ? "Nothing is painted yet."
      : `${Math.max(1, Math.round(100 * share))} % of the image is painted.`;
    this.cells?.show();
  }

  /** @returns {boolean} whether nothing is missing that only a person can choose */
  #complete() {
    if (this.tool === "interpolate" && !this.other) {
      show(this.form, { message: "Choose the other image first.", param: "images" });
      return false;
    }
    if (this.tool === "inpaint" && this.mask.share() === 0) {
      show(this.form, { message: "Paint what is to be drawn anew first.", param: "mask" });
      return false;
    }
    return true;
  }

  #run() {
    const { tool, subject } = this;
    const { fields } = tools[tool];
    const images = [subject?.url ?? "", tool === "interpolate" ? this.other?.url ?? "" : ""].filter(Boolean);
    /** @type {Record<string, any>} */
    const request = { kind: tool, model: subject?.model, images: images.map(base64) };
    if (fields.includes("count")) request.count = Number(byId("edit-count").value);
    if (fields.includes("seed")) request.seed = Number(byId("edit-seed").value);
    if (byId("edit-class").value) request.classes = this.#classes();
    if (tool === "vary") request.level = Number(byId("level").value);
    if (tool === "inpaint") {
      request.times = Number(byId("times").value);
      request.mask = base64(this.mask.url());
    }
    this.stage.draw(/** @type {any} */ (request), request.count ?? 0);
  }

  /** @returns {string} the class that is chosen; of two images, that of each where it is known */
  #classes() {
    const chosen = byId("edit-class").value;
    const other = this.tool === "interpolate" ? this.other?.className : null;
    const own = this.subject?.className;
    return other && own && chosen === quote(own) && other !== own ? `${chosen},${quote(other)}` : chosen;
  }

  /** @param {HTMLInputElement} input with the picture that a person chose */
  async #uploadOther(input) {
    const [file] = input.files ?? [];
    const model = modelOf(this.subject?.model ?? "");
    if (!file || !model) return;
    try {
      const picture = await readPicture(file, model);
      this.other = { url: picture.url, className: null };
      this.#addOther(this.other, picture.alt).checked = true;
    } catch (error) {
      show(this.form, { message: /** @type {Error} */ (error).message, param: "images" });
    }
    input.value = "";
  }
}

/**
 * @param {string} url a data URL
 * @returns {string} its bytes, in base64
 */
function base64(url) {
  return url.slice(url.indexOf(",") + 1);
}
