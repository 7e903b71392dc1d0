// @ts-check
// Signing in at an issuer: the authorisation code flow with PKCE (RFC 7636, OpenID Connect Core). What has to outlive the
// way there and back is kept for this tab and is no secret of anybody's account; the token itself is kept nowhere.

/**
 * @typedef {{ issuer: string, clientId: string, scopes: string[], audience: string, token: "access_token" | "id_token" }} SignIn
 * @typedef {{ state: string, nonce: string, verifier: string, path: string, since: number }} Kept
 */

const KEY = "ringback-sign-in";
const RETURN = "/console/signed-in";
/** Seconds that signing in may take. */
const PATIENCE = 600;
/** Seconds that clocks may differ. */
const LEEWAY = 60;

/** Why somebody could not sign in; its message is for people. */
export class SignInError extends Error {}

/** Whether the issuer has just sent somebody back. */
export function isBack() {
  return location.pathname === RETURN;
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/** 32 random bytes, as text. */
function random() {
  return base64(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * What the issuer says of itself.
 * @param {string} issuer
 * @returns {Promise<{ issuer: string, authorization_endpoint: string, token_endpoint: string }>}
 */
async function discover(issuer) {
  const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`).catch(() => null);
  if (!response?.ok) throw new SignInError("The issuer cannot be reached, or does not let this page ask it.");
  const told = await response.json();
  if (told.issuer !== issuer) throw new SignInError("The issuer says that it is another one.");
  return told;
}

/**
 * Goes to the issuer.
 * @param {SignIn} signIn
 */
export async function begin(signIn) {
  const { authorization_endpoint: address } = await discover(signIn.issuer);
  const { pathname, search } = location;
  /** @type {Kept} */
  const kept = {
    state: random(),
    nonce: random(),
    verifier: random(),
    path: pathname === RETURN ? "/console" : pathname + search,
    since: Date.now(),
  };
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(kept.verifier));
  const to = new URL(address);
  for (const [name, value] of Object.entries({
    response_type: "code",
    client_id: signIn.clientId,
    redirect_uri: location.origin + RETURN,
    scope: signIn.scopes.join(" "),
    state: kept.state,
    nonce: kept.nonce,
    code_challenge: base64(new Uint8Array(digest)),
    code_challenge_method: "S256",
    ...(signIn.audience && { audience: signIn.audience, resource: signIn.audience }),
  })) {
    to.searchParams.set(name, value);
  }
  sessionStorage.setItem(KEY, JSON.stringify(kept));
  location.assign(to);
}

/**
 * Takes what the issuer sent along, once, and gets the token for it.
 * @param {SignIn} signIn
 * @returns {Promise<{ token: string, path: string }>}
 */
export async function finish(signIn) {
  const answer = new URLSearchParams(location.search);
  /** @type {Kept | null} */
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  sessionStorage.removeItem(KEY);
  history.replaceState(null, "", "/console");
  if (!kept || answer.get("state") !== kept.state) {
    throw new SignInError("This answer of the issuer belongs to another sign-in. Sign in again.");
  }
  if (Date.now() - kept.since > PATIENCE * 1000) throw new SignInError("Signing in took too long. Sign in again.");
  // RFC 9207: whoever answers says who it is.
  const from = answer.get("iss");
  if (from !== null && from !== signIn.issuer) throw new SignInError("Another issuer answered. Sign in again.");
  const code = answer.get("code");
  if (!code) throw new SignInError(refusal(answer.get("error_description") ?? answer.get("error")));
  const tokens = await redeem(signIn, code, kept.verifier);
  check(signIn, tokens.id_token, kept.nonce);
  const token = tokens[signIn.token];
  if (typeof token !== "string") throw new SignInError(`The issuer gave no ${signIn.token}.`);
  return { token, path: kept.path };
}

/** @param {string | null} why */
function refusal(why) {
  return why ? `The issuer says: ${why}` : "The issuer refuses, and does not say why.";
}

/**
 * @param {SignIn} signIn
 * @param {string} code
 * @param {string} verifier
 */
async function redeem(signIn, code, verifier) {
  const { token_endpoint: address } = await discover(signIn.issuer);
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    code,
    redirect_uri: location.origin + RETURN,
    client_id: signIn.clientId,
    code_verifier: verifier,
    ...(signIn.audience && { resource: signIn.audience }),
  });
  const response = await fetch(address, { method: "POST", body }).catch(() => null);
  if (!response) throw new SignInError("The issuer's token endpoint cannot be reached, or does not let this page ask it.");
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new SignInError(refusal(told.error_description ?? told.error ?? null));
  return told;
}

/**
 * Whether an id token is of this sign-in. It comes from the issuer itself over TLS, which stands in for its signature
 * (OpenID Connect Core, 3.1.3.7); the service checks the signature of what it is sent.
 * @param {SignIn} signIn
 * @param {unknown} token
 * @param {string} nonce
 */
function check(signIn, token, nonce) {
  const claims = read(token);
  const audiences = [claims?.aud].flat();
  const faults = /** @type {[boolean, string][]} */ ([
    [claims === null, "it cannot be read"],
    [claims?.iss !== signIn.issuer, "it is of another issuer"],
    [!audiences.includes(signIn.clientId), "it is for another client"],
    [audiences.length > 1 && claims?.azp !== signIn.clientId, "it is for several clients"],
    [!(Number(claims?.exp) > Date.now() / 1000 - LEEWAY), "it has ended"],
    [claims?.nonce !== nonce, "it belongs to another sign-in"],
  ]);
  const fault = faults.find(([is]) => is);
  if (fault) throw new SignInError(`The issuer's id token is refused: ${fault[1]}. Sign in again.`);
}

/**
 * @param {unknown} token
 * @returns {Record<string, any> | null}
 */
function read(token) {
  try {
    const part = String(token).split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
  } catch {
    return null;
  }
}
