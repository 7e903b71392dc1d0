// @ts-check
// Calls the service: Connect's JSON over fetch. Whoever signed in is known here, and only here, in memory.

import { seconds } from "./words.js";

/** `known` once the service took the token. */
const caller = { token: "", organization: "", known: false };

/** @type {() => void} */
let refused = () => {};

/**
 * Whose token is sent from now on; "" for nobody.
 * @param {string} token
 */
export function use(token) {
  caller.token = token;
  caller.known = false;
}

/**
 * Which organisation is acted in; "" for the token's own.
 * @param {string} organization
 */
export function actIn(organization) {
  caller.organization = organization;
}

/** The organisation that is acted in, "" for the token's own. */
export function actsIn() {
  return caller.organization;
}

/** Whether somebody is signed in. */
export function isIn() {
  return caller.token !== "";
}

/**
 * What happens when the service does not take the token any more.
 * @param {() => void} then
 */
export function whenRefused(then) {
  refused = then;
}

/** A call that was refused, or did not arrive. Its message is for people. */
export class Failure extends Error {
  /**
   * @param {string} code Connect's, such as `not_found`
   * @param {string} message
   * @param {number | null} wait in seconds, when it may be tried again
   */
  constructor(code, message, wait) {
    super(message);
    this.code = code;
    this.wait = wait;
  }

  /** The message, and when to come again. */
  get words() {
    const said = this.message.charAt(0).toUpperCase() + this.message.slice(1).replace(/\.$/, "");
    return this.wait === null ? `${said}.` : `${said}. Try again in ${seconds(this.wait)}.`;
  }
}

/** @returns {Record<string, string>} */
function headers() {
  /** @type {Record<string, string>} */
  const all = {};
  if (caller.token) all.authorization = `Bearer ${caller.token}`;
  if (caller.organization) all["x-zitadel-orgid"] = caller.organization;
  return all;
}

/**
 * The failure that an answer tells.
 * @param {Response} response
 * @param {any} told
 */
function failure(response, told) {
  const after = response.headers.get("retry-after");
  const wait = after === null ? null : Number(after);
  const message = told?.message || `the service answered ${response.status}`;
  return new Failure(String(told?.code ?? "unknown"), message, Number.isFinite(wait) ? wait : null);
}

/**
 * Asks an address of this service, and fails as `call` does; a refusal is an answer, too, for who says so.
 * @param {string} path
 * @param {RequestInit} [options]
 * @param {boolean} [whatever]
 * @returns {Promise<Response>}
 */
export async function ask(path, options = {}, whatever = false) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers(), ...options.headers } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Failure("unavailable", "the service cannot be reached", null);
  }
  if (response.status === 401 && caller.known) refused();
  if (response.ok || whatever) return response;
  const told = await response.json().catch(() => null);
  throw failure(response, told);
}

/**
 * Calls a method: `call("ringback.phone.v1.PhoneService/ListUserPhones", { userId: "ann" })`.
 * The types of methods and messages are made from the protos by a test.
 * @template {keyof RingbackMethods} M
 * @param {M} method
 * @param {RingbackMethods[M]} [message]
 * @param {string} [organization] where it acts, in place of the usual one
 * @returns {Promise<any>}
 */
export async function call(method, message = {}, organization = "") {
  /** @type {Record<string, string>} */
  const place = organization ? { "x-zitadel-orgid": organization } : {};
  const response = await ask(`/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", "connect-protocol-version": "1", ...place },
    body: JSON.stringify(message),
  });
  caller.known = true;
  return response.json();
}
