// @ts-check
// `/` of `ringback dev`: what runs, a token, and messages as they come.

import { html, one } from "./html.js";
import { watch } from "./inbox.js";
import { state } from "./session.js";

export const title = "Start";

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export function show(main, place) {
  place.draw(
    html`
      <div class="head"><h1 tabindex="-1">ringback runs</h1>
      <span class="quiet">Every API, the worker, and an inbox in place of telephones, in one process.</span></div>
      <div class="columns">
        <section class="sheet" aria-labelledby="letters">
          <div class="top"><h2 id="letters">Inbox</h2></div>
          <div data-letters></div>
        </section>
        <div class="stack">
          <section class="sheet" aria-labelledby="token">
            <div class="top"><h2 id="token">Token</h2><button type="button" data-copy>Copy</button></div>
            <div class="body">
              <p>It may do everything, for a day. Send it as <code>Authorization: Bearer …</code></p>
              <textarea readonly rows="5" aria-labelledby="token">${state.token}</textarea>
              <p role="status" class="hint"></p>
            </div>
          </section>
          <section class="sheet" aria-labelledby="links">
            <div class="top"><h2 id="links">Links</h2></div>
            <div class="body links">
              <a href="/console/find">Find a user or a number</a>
              <a href="/console/api">What can be called, and try it</a>
              <a href="/openapi.json">The contract, as a file</a>
              <a href="/readyz">Is the database there?</a>
            </div>
          </section>
        </div>
      </div>`,
  );
  one(main, "[data-copy]").addEventListener("click", async () => {
    await navigator.clipboard.writeText(state.token);
    one(main, "[role=status]").textContent = "Copied.";
  });
  watch(one(main, "[data-letters]"), place.signal);
}
