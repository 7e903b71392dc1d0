// @ts-check
// The inbox of `ringback dev`: messages as they come.

import { ask, Failure } from "./api.js";
import { html, one, put } from "./html.js";
import { time } from "./words.js";

export const title = "Inbox";

/** @typedef {{ id: string, to: string, text: string, code: string | null, sentAt: string }} Letter */

/** How many are shown. */
const MOST = 50;
/** Seconds that one question waits for the next message. */
const PATIENCE = 25;

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export function show(main, place) {
  place.draw(
    html`
      <div class="head"><h1 tabindex="-1">Inbox</h1>
      <span class="quiet">What would have gone out as text messages. In memory, newest first.</span></div>
      <section class="sheet" aria-label="Messages"></section>`,
  );
  watch(one(main, "section"), place.signal);
}

/**
 * Shows messages as they come, until the signal.
 * @param {HTMLElement} sheet
 * @param {AbortSignal} signal
 */
export async function watch(sheet, signal) {
  put(sheet, html`<div role="log" aria-label="Messages as they come"><ul class="letters"></ul></div><p class="empty">No message has come yet.</p>`);
  const [list, empty] = [one(sheet, "ul"), one(sheet, ".empty")];
  let after = "";
  while (!signal.aborted) {
    try {
      const answer = await ask(`/dev/inbox?wait=${PATIENCE}&after=${encodeURIComponent(after)}`, { signal });
      /** @type {{ messages: Letter[] }} */
      const { messages } = await answer.json();
      for (const letter of messages.reverse()) {
        after = letter.id;
        const item = document.createElement("li");
        put(item, line(letter));
        list.prepend(item);
      }
      while (list.children.length > MOST) list.lastElementChild?.remove();
      if (messages.length > 0) empty.hidden = true;
    } catch (error) {
      if (signal.aborted) return;
      // Stopped, or started anew: look again soon.
      if (error instanceof Failure && list.children.length === 0) empty.textContent = error.words;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** @param {Letter} letter */
function line({ to, text, code, sentAt }) {
  return html`
    <span>${to}</span><time class="quiet" datetime="${sentAt}">${time(sentAt)}</time>
    ${code ? html`<span class="code">${code}</span>` : ""}
    <span class="text">${text}</span>`;
}
