// @ts-check
// Makes HTML: a template tag that escapes what is put in. Nothing else in the console makes any, and the page's policy
// (`require-trusted-types-for`) holds everybody to that.

/** HTML that is known to be ours. */
class Html {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** @typedef {Html | string | number | boolean | null | undefined | Part[]} Part */

/** @type {Record<string, string>} */
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "`": "&#96;" };

/**
 * What stands for a value: HTML of ours as it is, lists one after the other, nothing for null, undefined and
 * booleans, everything else as text. In attributes it must stand between quotes.
 * @param {Part} part
 * @returns {string}
 */
function text(part) {
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(text).join("");
  if (part === null || part === undefined || typeof part === "boolean") return "";
  return String(part).replace(/[&<>"'`]/g, (c) => ESCAPES[c]);
}

/**
 * @param {TemplateStringsArray} strings
 * @param {Part[]} parts
 * @returns {Html}
 */
export function html(strings, ...parts) {
  return new Html(strings.map((string, at) => string + (at < parts.length ? text(parts[at]) : "")).join(""));
}

const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("ringback", {
  createHTML: (/** @type {string} */ ours) => ours,
});

/**
 * Puts HTML in place of what an element holds.
 * @param {Element} element
 * @param {Html} content
 */
export function put(element, content) {
  if (!(content instanceof Html)) throw new TypeError("only what html`` made is put into a page");
  element.innerHTML = policy ? policy.createHTML(content.text) : content.text;
}

/**
 * The one element below `root` that a selector finds.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {T}
 */
export function one(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`nothing is ${selector}`);
  return /** @type {T} */ (found);
}

/**
 * Runs `then` when something below `root` that fits the selector is clicked.
 * @param {HTMLElement} root
 * @param {string} selector
 * @param {(element: HTMLElement, event: MouseEvent) => unknown} then
 */
export function onClick(root, selector, then) {
  root.addEventListener("click", (event) => {
    const hit = event.target instanceof Element ? event.target.closest(selector) : null;
    if (hit instanceof HTMLElement && root.contains(hit)) then(hit, event);
  });
}
