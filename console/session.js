// @ts-check
// Who is signed in: in `ringback dev` whoever sits at this machine, elsewhere whoever has a token.

import { ask, use } from "./api.js";
import { html, one, put } from "./html.js";

/**
 * @typedef {{ issuer: string, clientId: string, scopes: string[], audience: string, token: "access_token" | "id_token" }} SignIn
 * @typedef {{ version: string, dev: boolean, signIn: SignIn | null }} Settings
 */

export const state = {
  /** @type {Settings} */
  settings: { version: "", dev: false, signIn: null },
  /** Whom the token is of. */
  name: "",
  /** The token, for those who try the program out. */
  token: "",
};

/**
 * Where a file of the console is.
 * @param {string} name
 */
export function asset(name) {
  return new URL(name, import.meta.url).pathname;
}

/** Whether somebody is signed in without being asked. */
export async function begin() {
  state.settings = await (await ask("/console.json")).json();
  if (!state.settings.dev) return false;
  // Another machine is not told the token, and is asked for one.
  const about = await ask("/dev/about").then((response) => response.json()).catch(() => null);
  return about !== null && enter(about.token);
}

/**
 * Takes a token; false when it is none.
 * @param {string} token
 */
function enter(token) {
  const claims = read(token);
  if (claims === null) return false;
  state.token = token;
  state.name = String(claims.name ?? claims.preferred_username ?? claims.email ?? claims.sub ?? "somebody");
  use(token);
  return true;
}

/**
 * The claims of a token, for showing; the service judges it.
 * @param {string} token
 * @returns {Record<string, unknown> | null}
 */
function read(token) {
  const part = token.split(".")[1];
  try {
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" ? claims : null;
  } catch {
    return null;
  }
}

/**
 * Asks who is there.
 * @param {HTMLElement} body
 * @param {() => void} then
 * @param {string} [why]
 */
export function drawGate(body, then, why) {
  document.title = "Sign in · ringback";
  put(
    body,
    html`
      <main class="gate">
        <h1 tabindex="-1">ringback</h1>
        ${why ? html`<p class="note warn" role="status">${why}</p>` : ""}
        <form class="sheet">
          <div class="body">
            <label>Token
              <textarea name="token" rows="5" required autocomplete="off" spellcheck="false" aria-describedby="token-hint"></textarea>
              <small id="token-hint">A token of an issuer that this service trusts. It stays in this page's memory and is gone when the page is closed.</small>
            </label>
            <p class="note bad" role="alert" hidden></p>
            <div class="row"><button class="main">Sign in</button></div>
          </div>
        </form>
      </main>`,
  );
  const form = one(body, "form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = /** @type {HTMLTextAreaElement} */ (one(form, "textarea"));
    if (enter(field.value.trim().replace(/^bearer\s+/i, ""))) return then();
    const error = one(form, ".note.bad");
    error.hidden = false;
    error.textContent = "This is no token: it has three parts with dots between them.";
    field.focus();
  });
}
