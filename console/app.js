// @ts-check
// The frame: who is signed in, which page an address shows, and the way between pages.

import { isIn, use, whenRefused } from "./api.js";
import * as contract from "./contract.js";
import * as events from "./events.js";
import * as find from "./find.js";
import * as guard from "./guard.js";
import * as home from "./home.js";
import { html, onClick, one, put } from "./html.js";
import * as inbox from "./inbox.js";
import * as messages from "./messages.js";
import * as overview from "./overview.js";
import { say, unsay, words } from "./parts.js";
import * as session from "./session.js";
import * as settings from "./settings.js";
import * as user from "./user.js";

/**
 * A page: what it is called, and what fills it.
 * @typedef {{ title: string, show: (main: HTMLElement, place: Place) => unknown }} Page
 */

/**
 * What a page's address holds. Its signal ends when somebody goes elsewhere.
 * @typedef {{
 *   found: string[],
 *   query: URLSearchParams,
 *   signal: AbortSignal,
 *   go: (path: string) => void,
 *   draw: (content: ReturnType<typeof html>) => void,
 * }} Place
 */

/** @type {[RegExp, Page][]} */
const PAGES = [
  [/^\/$/, home],
  [/^\/console\/overview$/, overview],
  [/^\/console\/find$/, find],
  [/^\/console\/users\/([^/]+)$/, user],
  [/^\/console\/messages$/, messages],
  [/^\/console\/messages\/([^/]+)$/, messages.single],
  [/^\/console\/guard$/, guard],
  [/^\/console\/events$/, events],
  [/^\/console\/settings$/, settings],
  [/^\/console\/inbox$/, inbox],
  [/^\/console\/api$/, contract],
  [/^\/console\/api\/([^/]+)$/, contract.single],
];

/** The pages to choose from, for this caller. */
function menu() {
  const { settings: told, caller } = session.state;
  const reads = session.may("user.read");
  const entries = /** @type {[boolean, string, string][]} */ ([
    [told.dev, "/", home.title],
    [session.mayEverywhere("sms.read"), "/console/overview", overview.title],
    [reads, "/console/find", find.title],
    [!reads, `/console/users/${encodeURIComponent(caller.userId)}`, "My numbers"],
    [session.may("sms.read"), "/console/messages", messages.title],
    [session.may("guard.read"), "/console/guard", guard.title],
    [session.may("audit.read"), "/console/events", events.title],
    [session.mayEverywhere("user.write"), "/console/settings", settings.title],
    [told.dev, "/console/inbox", inbox.title],
    [true, "/console/api", contract.title],
  ]);
  return entries.filter(([shown]) => shown).map(([, path, title]) => ({ path, title }));
}

let leaving = new AbortController();

/** Fills the frame's main part with what the address names. */
async function show() {
  leaving.abort();
  leaving = new AbortController();
  unsay();
  if (/^\/console\/?$/.test(location.pathname)) history.replaceState(null, "", first());
  const path = location.pathname;
  mark(path);
  const main = document.createElement("div");
  main.className = "page";
  one(document, "main").replaceChildren(main);
  const hit = PAGES.map(([form, page]) => ({ page, match: form.exec(path) })).find(({ match }) => match);
  document.title = `${hit?.page.title ?? "Not found"} · ringback`;
  if (!hit?.match) {
    put(main, html`<h1 tabindex="-1">Not found</h1><p>No page has this address.</p>`);
    return;
  }
  const place = {
    found: hit.match.slice(1).map((part) => decodeURIComponent(part)),
    query: new URLSearchParams(location.search),
    signal: leaving.signal,
    go,
    draw: (/** @type {ReturnType<typeof html>} */ content) => {
      put(main, content);
      if (moved) main.querySelector("h1")?.focus();
    },
  };
  try {
    await hit.page.show(main, place);
  } catch (error) {
    if (!place.signal.aborted) put(main, html`<p class="note bad" role="alert">${words(error)}</p>`);
  }
}

/** Where a console begins. */
function first() {
  return session.state.settings.dev ? "/console/find" : (menu()[0]?.path ?? "/console/api");
}

/** Whether somebody has come from another page, and the heading is read out. */
let moved = false;

/**
 * Goes to another page of the console.
 * @param {string} path
 */
function go(path) {
  moved = true;
  history.pushState(null, "", path);
  scrollTo(0, 0);
  show();
}

/** Shows in the menu which page is open. @param {string} path */
function mark(path) {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll(".side nav a")]);
  const fits = (/** @type {string} */ to) => path === to || (to !== "/" && path.startsWith(`${to}/`));
  const users = path.startsWith("/console/users/") && session.may("user.read");
  for (const link of links) {
    const to = link.getAttribute("href") ?? "";
    const is = fits(to) || (users && to === "/console/find");
    if (is) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** The frame around every page. */
function drawFrame() {
  const { settings: told, caller } = session.state;
  const links = menu().map(({ path, title }) => html`<li><a href="${path}">${title}</a></li>`);
  put(
    document.body,
    html`
      <a class="skip" href="#main">To the content</a>
      <div class="frame">
        <header class="side">
          <a class="brand" href="/console"><img src="${session.asset("icon.svg")}" alt="">ringback <small>${told.version}</small></a>
          <nav aria-label="Pages"><ul>${links}</ul></nav>
          <div class="who">
            <span><span class="quiet">Signed in as</span> <strong>${caller.userId}</strong></span>
            ${organization()}
            ${told.dev ? "" : html`<div><button type="button" data-out>Sign out</button></div>`}
          </div>
        </header>
        <main id="main" tabindex="-1"></main>
        <p class="said" role="status" data-said hidden></p>
      </div>`,
  );
  const form = document.querySelector("[data-organization]");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const named = /** @type {HTMLInputElement | HTMLSelectElement} */ (one(/** @type {HTMLElement} */ (form), "[name]")).value.trim();
    try {
      await session.switchTo(named);
      drawFrame();
      await show();
      say(`You act in ${session.state.caller.organizationId}.`);
    } catch (error) {
      say(words(error));
    }
  });
}

/** Where the caller acts, and for those who may act elsewhere, a way there. */
function organization() {
  const { caller } = session.state;
  const anywhere = (caller.permissionsEverywhere ?? []).length > 0;
  const others = caller.organizationIds ?? [];
  if (!anywhere && others.length === 0) {
    return html`<span><span class="quiet">in</span> <strong>${caller.organizationId}</strong></span>`;
  }
  return html`
    <form class="row end" data-organization>
      <label class="grow">Organisation
        ${anywhere
          ? html`<input name="organization" value="${session.state.acting}" placeholder="all" autocomplete="off" spellcheck="false">`
          : html`<select name="organization">${[caller.organizationId, ...others].map(
              (name) => html`<option ${name === caller.organizationId ? html`selected` : ""}>${name}</option>`,
            )}</select>`}</label>
      <button>Switch</button>
    </form>`;
}

/** @param {string} [why] */
function gate(why) {
  leaving.abort();
  session.drawGate(document.body, enter, why);
}

function enter() {
  drawFrame();
  show();
}

async function start() {
  const { isIn: signedIn, why, path } = await session.begin();
  if (!signedIn) return gate(why);
  if (path) history.replaceState(null, "", path);
  enter();
}

whenRefused(() => {
  use("");
  gate("The token is not valid any more. Sign in again.");
});

onClick(document.body, "a[href^='/console'], a[href='/']", (link, event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  go(link.getAttribute("href") ?? "/console");
});
onClick(document.body, "[data-unsay]", unsay);
onClick(document.body, "[data-out]", () => {
  use("");
  gate();
});
addEventListener("popstate", () => {
  if (isIn()) show();
});
start();
