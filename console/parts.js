// @ts-check
// Parts that several pages share.

import { Failure } from "./api.js";
import { html, one, put } from "./html.js";
import { away, time } from "./words.js";

/** @typedef {import("./html.js").Part} Part */

/**
 * The head of a page, with what belongs to the whole of it at its end.
 * @param {string} title
 * @param {Part} [beside]
 */
export function head(title, beside = "") {
  return html`<div class="head"><h1 tabindex="-1">${title}</h1>${beside}</div>`;
}

/**
 * A small coloured word.
 * @param {string} word
 * @param {"good" | "warn" | "bad" | "accent" | ""} [kind]
 */
export function tag(word, kind = "") {
  return html`<span class="tag ${kind}">${word}</span>`;
}

/**
 * A time, with how far away it is for whoever points at it.
 * @param {string | undefined} when
 * @param {"exact" | "away"} [form]
 */
export function moment(when, form = "exact") {
  if (!when) return "";
  const [shown, other] = form === "exact" ? [time(when), away(when)] : [away(when), time(when)];
  return html`<time datetime="${when}" title="${other}" class="nowrap">${shown}</time>`;
}

/** What became of a message, by the name of its state. */
const STATES = /** @type {Record<string, [string, "good" | "warn" | "bad" | "accent" | ""]>} */ ({
  QUEUED: ["waiting", "accent"],
  HANDED: ["handed over", ""],
  DELIVERED: ["delivered", "good"],
  UNDELIVERED: ["not delivered", "bad"],
  EXPIRED: ["too late", "bad"],
  SUPERSEDED: ["no longer needed", ""],
  REFUSED: ["number refuses", "bad"],
  FAILED: ["failed", "bad"],
});

/** @param {string} state such as `MESSAGE_STATE_QUEUED` */
export function messageState(state) {
  const [word, kind] = STATES[state.replace("MESSAGE_STATE_", "")] ?? [state, ""];
  return tag(word, kind);
}

/** Every state of a message, with its word. */
export const messageStates = Object.entries(STATES).map(([name, [word]]) => ({ name: `MESSAGE_STATE_${name}`, word }));

/** What messages are for, by their kind. */
const KINDS = /** @type {Record<string, string>} */ ({
  code: "Code",
  removal_code: "Code that removes",
  replaced: "Notice: replaced",
  removed: "Notice: removed",
});

/** @param {string} kind */
export function messageKind(kind) {
  return KINDS[kind] ?? kind;
}

/**
 * Why something did not work, for people. What is no failure of a call is a fault of ours, and goes on.
 * @param {unknown} error
 * @returns {string}
 */
export function words(error) {
  if (error instanceof Failure) return error.words;
  console.error(error);
  return "The page has a fault of its own; the browser's console says more.";
}

/**
 * Fills an element with what a call brings, or with why it did not.
 * @param {HTMLElement} element
 * @param {AbortSignal} signal
 * @param {() => Promise<ReturnType<typeof html>>} fill
 */
export async function load(element, signal, fill) {
  element.setAttribute("aria-busy", "true");
  try {
    const content = await fill();
    if (!signal.aborted) put(element, content);
  } catch (error) {
    if (!signal.aborted) put(element, html`<div class="body"><p class="note bad" role="alert">${words(error)}</p></div>`);
  } finally {
    element.removeAttribute("aria-busy");
  }
}

/**
 * Says that something is done.
 * @param {string} text
 */
export function say(text) {
  const said = one(document, "[data-said]");
  put(said, html`<span>${text}</span> <button type="button" class="plain" data-unsay>Close</button>`);
  said.hidden = false;
}

/** Takes away what was said. */
export function unsay() {
  const said = /** @type {HTMLElement | null} */ (document.querySelector("[data-said]"));
  if (said) said.hidden = true;
}

/**
 * Something to do: what it is, what it will do, what has to be given, and what is said afterwards.
 * @typedef {{
 *   title: string,
 *   says: Part,
 *   fields?: Part,
 *   button: string,
 *   risky?: boolean,
 *   run: (data: FormData) => Promise<string>,
 *   done: () => unknown,
 *   failed?: () => unknown,
 * }} Action
 */

/**
 * Asks before something is done, and does it.
 * @param {Action} action
 */
export function ask(action) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-title");
  put(
    dialog,
    html`
      <form method="dialog" class="stack">
        <h2 id="dialog-title">${action.title}</h2>
        <div class="stack">${action.says}</div>
        ${action.fields ?? ""}
        <p class="note bad" role="alert" hidden></p>
        <div class="row">
          <button class="main ${action.risky ? "risky" : ""}">${action.button}</button>
          <button type="button" data-close>Cancel</button>
        </div>
      </form>`,
  );
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  one(dialog, "[data-close]").addEventListener("click", () => dialog.close());
  const form = /** @type {HTMLFormElement} */ (one(dialog, "form"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [button, error] = [/** @type {HTMLButtonElement} */ (one(form, "button.main")), one(form, ".note.bad")];
    button.disabled = true;
    error.hidden = true;
    try {
      const said = await action.run(new FormData(form));
      dialog.close();
      await action.done();
      say(said);
      // The button may be gone with what it was about.
      if (document.activeElement === document.body) document.querySelector("h1")?.focus();
    } catch (failure) {
      error.hidden = false;
      error.textContent = words(failure);
      // A refusal may have changed something, too: a wrong code is one guess less.
      await action.failed?.();
    } finally {
      button.disabled = false;
    }
  });
  dialog.showModal();
}

/**
 * Copies what the signs of a form hold into an address, leaving out what is empty.
 * @param {string} path
 * @param {Record<string, string>} values
 */
export function address(path, values) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ""));
  return query.size > 0 ? `${path}?${query}` : path;
}

/**
 * Where a user is shown. Two organisations may have the same id.
 * @param {string} user
 * @param {string} organization
 */
export function userPath(user, organization) {
  return address(`/console/users/${encodeURIComponent(user)}`, { org: organization });
}
