// @ts-check
// Who is signed in: in `ringback dev` whoever sits at this machine, elsewhere whoever has a token.

import { actIn, ask, call, Failure, use } from "./api.js";
import { html, one, put } from "./html.js";
import * as oidc from "./oidc.js";
import { words } from "./parts.js";

/**
 * @typedef {{ version: string, dev: boolean, signIn: oidc.SignIn | null }} Settings
 * @typedef {{ userId: string, homeOrganizationId: string, organizationId: string, permissions?: string[],
 *   permissionsEverywhere?: string[], organizationIds?: string[] }} Caller
 */

export const state = {
  /** @type {Settings} */
  settings: { version: "", dev: false, signIn: null },
  /** @type {Caller} */
  caller: { userId: "", homeOrganizationId: "", organizationId: "" },
  /** The organisation that was named; "" for the token's own, or all. */
  acting: "",
  /** The token, for those who try the program out. */
  token: "",
};

/**
 * Whether the caller has a permission where they act.
 * @param {string} permission
 */
export function may(permission) {
  return state.caller.permissions?.includes(permission) ?? false;
}

/**
 * Whether the caller has it in every organisation.
 * @param {string} permission
 */
export function mayEverywhere(permission) {
  return state.caller.permissionsEverywhere?.includes(permission) ?? false;
}

/**
 * Where a file of the console is.
 * @param {string} name
 */
export function asset(name) {
  return new URL(name, import.meta.url).pathname;
}

/**
 * Signs in without asking, where that is possible: on this machine, or on the way back from the issuer. Says why it
 * was not.
 * @returns {Promise<{ isIn: boolean, why?: string, path?: string }>}
 */
export async function begin() {
  state.settings = await (await ask("/console.json")).json();
  try {
    if (oidc.isBack()) {
      if (!state.settings.signIn) return { isIn: false };
      const { token, path } = await oidc.finish(state.settings.signIn);
      await enter(token);
      return { isIn: true, path };
    }
    if (!state.settings.dev) return { isIn: false };
    const about = await (await ask("/dev/about")).json();
    await enter(about.token);
    return { isIn: true };
  } catch (error) {
    // Another machine is not told the token of `ringback dev`, and is asked for one.
    const known = error instanceof Failure && error.code === "7";
    return { isIn: false, ...(!known && { why: error instanceof oidc.SignInError ? error.message : words(error) }) };
  }
}

/**
 * Takes a token, as the service does or does not.
 * @param {string} token
 */
async function enter(token) {
  use(token);
  actIn("");
  state.acting = "";
  try {
    state.caller = await call("ringback.admin.v1.AdminService/GetCaller");
    state.token = token;
  } catch (error) {
    use("");
    throw error;
  }
}

/**
 * Acts in another organisation from now on; "" for the token's own.
 * @param {string} organization
 */
export async function switchTo(organization) {
  actIn(organization);
  try {
    state.caller = await call("ringback.admin.v1.AdminService/GetCaller");
    state.acting = organization;
  } catch (error) {
    actIn(state.acting);
    throw error;
  }
}

/**
 * Asks who is there.
 * @param {HTMLElement} body
 * @param {() => void} then
 * @param {string} [why]
 */
export function drawGate(body, then, why) {
  const { signIn } = state.settings;
  document.title = "Sign in · ringback";
  put(
    body,
    html`
      <main class="gate">
        <h1 tabindex="-1" class="row"><img src="${asset("icon.svg")}" alt="" width="24" height="24">Sign in to ringback</h1>
        <p class="quiet">The console shows users, their numbers and messages, so it asks who you are. You see what your token may read.</p>
        ${why ? html`<p class="note warn" role="alert">${why}</p>` : ""}
        ${signIn
          ? html`<section class="sheet"><div class="body">
              <p>You sign in at <strong>${new URL(signIn.issuer).host}</strong> and come back here.</p>
              <div class="row"><button type="button" class="main" data-sign-in>Sign in</button></div>
            </div></section>`
          : ""}
        ${signIn ? html`<details><summary>Use a token instead</summary>${tokenForm()}</details>` : tokenForm()}
      </main>`,
  );
  body.querySelector("[data-sign-in]")?.addEventListener("click", async () => {
    try {
      if (signIn) await oidc.begin(signIn);
    } catch (error) {
      drawGate(body, then, error instanceof oidc.SignInError ? error.message : words(error));
    }
  });
  const form = one(body, "form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = /** @type {HTMLTextAreaElement} */ (one(form, "textarea"));
    try {
      await enter(field.value.trim().replace(/^bearer\s+/i, ""));
      then();
    } catch (failure) {
      const error = one(form, ".note.bad");
      error.hidden = false;
      error.textContent = words(failure);
      field.focus();
    }
  });
}

function tokenForm() {
  return html`
    <form class="sheet">
      <div class="body">
        <label>Token
          <textarea name="token" rows="5" required autocomplete="off" spellcheck="false" aria-describedby="token-hint"></textarea></label>
        <p class="hint" id="token-hint">Of an issuer that this service trusts. It stays in this page's memory and is gone with the page.</p>
        <p class="note bad" role="alert" hidden></p>
        <div class="row"><button class="main">Use the token</button></div>
      </div>
    </form>`;
}
