// @ts-check
// The frame: who is signed in, which page an address shows, and the way between pages.

import { actIn, actsIn, isIn, use, whenRefused } from "./api.js";
import * as home from "./home.js";
import { html, onClick, one, put } from "./html.js";
import * as inbox from "./inbox.js";
import * as session from "./session.js";

/**
 * A page: what it is called, and what fills it. `place` says what the address holds; its signal ends when somebody
 * goes elsewhere.
 * @typedef {{ found: string[], query: URLSearchParams, signal: AbortSignal, go: (path: string) => void }} Place
 * @typedef {{ title: string, show: (main: HTMLElement, place: Place) => unknown }} Page
 */

/** @type {[RegExp, Page][]} */
const PAGES = [
  [/^\/(?:console\/?)?$/, home],
  [/^\/console\/inbox$/, inbox],
];

/** @type {{ path: string, page: Page, dev?: boolean }[]} */
const MENU = [
  { path: "/console", page: home },
  { path: "/console/inbox", page: inbox, dev: true },
];

let leaving = new AbortController();

/** Fills the frame's main part with what the address names. */
async function show() {
  leaving.abort();
  leaving = new AbortController();
  const path = location.pathname;
  const hit = PAGES.map(([form, page]) => ({ page, match: form.exec(path) })).find(({ match }) => match);
  drawFrame(path);
  const main = one(document, "main");
  if (!hit?.match) {
    put(main, html`<h1 tabindex="-1">Not found</h1><p>No page has this address.</p>`);
    document.title = "Not found · ringback";
    return;
  }
  const found = hit.match.slice(1).map((part) => decodeURIComponent(part ?? ""));
  const place = { found, query: new URLSearchParams(location.search), signal: leaving.signal, go };
  document.title = `${hit.page.title} · ringback`;
  await hit.page.show(main, place);
}

/**
 * Goes to another page of the console.
 * @param {string} path
 */
function go(path) {
  history.pushState(null, "", path);
  show().then(() => document.querySelector("h1")?.focus());
}

/** @param {string} path */
function drawFrame(path) {
  const { settings, name } = session.state;
  const links = MENU.filter((entry) => !entry.dev || settings.dev).map(
    ({ path: to, page }) => html`
      <li><a href="${to}" ${path === to || (to === "/console" && path === "/") ? html`aria-current="page"` : ""}>${page.title}</a></li>`,
  );
  put(
    document.body,
    html`
      <a class="skip" href="#main">To the content</a>
      <div class="frame">
        <header class="side">
          <a class="brand" href="/console"><img src="${session.asset("icon.svg")}" alt="">ringback <small>${settings.version}</small></a>
          <nav aria-label="Pages"><ul>${links}</ul></nav>
          <div class="who">
            <span>Signed in as <strong>${name}</strong></span>
            ${settings.dev ? "" : html`<button type="button" data-out>Sign out</button>`}
          </div>
        </header>
        <main id="main" tabindex="-1"></main>
      </div>`,
  );
}

/** Asks who is there, unless it is known. */
async function start() {
  if (await session.begin()) {
    await show();
  } else {
    session.drawGate(document.body, () => show());
  }
}

whenRefused(() => {
  use("");
  session.drawGate(document.body, () => show(), "The token is not valid any more. Sign in again.");
});

onClick(document.body, "a[href^='/console'], a[href='/']", (link) => {
  const event = /** @type {MouseEvent} */ (window.event);
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(/** @type {HTMLAnchorElement} */ (link).getAttribute("href") ?? "/console");
});
onClick(document.body, "[data-out]", () => {
  use("");
  session.drawGate(document.body, () => show());
});
addEventListener("popstate", () => isIn() && show());
start();
