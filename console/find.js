// @ts-check
// Find: numbers and their users, by user id, number, or how a number begins.

import { call, Failure } from "./api.js";
import { html, one } from "./html.js";
import { address, head, load, moment, tag, userPath } from "./parts.js";

export const title = "Find";

const SEARCH = "ringback.phone.v1.PhoneService/SearchPhones";
const PAGE = 50;

/**
 * @typedef {{ id: string, userId: string, organizationId: string, phone: string, isVerified?: boolean,
 *   isPrimary?: boolean, isPending?: boolean, creationDate?: string, changeDate?: string, verificationDate?: string }} Phone
 */

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  const wanted = place.query.get("q") ?? "";
  const state = place.query.get("state") ?? "";
  place.draw(
    html`
      ${head("Find")}
      <form class="row end" role="search">
        <label class="grow">User id, number, or how a number begins
          <input name="q" value="${wanted}" autocomplete="off" spellcheck="false" placeholder="ann, +41791234567, +4179"></label>
        <label>State
          <select name="state">
            ${[["", "Any"], ["verified", "Verified"], ["unverified", "Not verified"]].map(
              ([value, word]) => html`<option value="${value}" ${value === state ? html`selected` : ""}>${word}</option>`,
            )}
          </select></label>
        <button class="main">Find</button>
      </form>
      <section class="sheet" aria-label="Numbers" aria-live="polite"></section>`,
  );
  const form = /** @type {HTMLFormElement} */ (one(main, "form"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    place.go(address("/console/find", { q: String(data.get("q")).trim(), state: String(data.get("state")) }));
  });
  await load(one(main, "section"), place.signal, async () => {
    const token = place.query.get("page") ?? "";
    const { phones, next, also } = await find(wanted, state, token);
    return html`
      ${also}
      ${phones.length === 0 ? html`<p class="empty">No number fits.</p>` : table(phones)}
      ${token || next ? pages(wanted, state, token, next) : ""}`;
  });
}

/**
 * What fits: numbers, where the next page begins, and what else there is to say.
 * @param {string} wanted
 * @param {string} state
 * @param {string} token
 */
async function find(wanted, state, token) {
  /** @type {{ pageSize: number, pageToken: string, isVerified?: boolean, phonePrefix?: string, userIds?: string[] }} */
  const page = { pageSize: PAGE, pageToken: token };
  if (state) page.isVerified = state === "verified";
  const digits = wanted.replace(/[\s().\/-]/g, "");
  if (/^\+\d{0,15}$/.test(digits)) page.phonePrefix = digits;
  else if (wanted) page.userIds = [wanted];
  const found = await call(SEARCH, page);
  /** @type {Phone[]} */
  const phones = found.phones ?? [];
  if (page.userIds && !token && /^\d{3,}$/.test(digits)) phones.push(...(await national(wanted, state)));
  const known = phones.some((phone) => phone.userId === wanted);
  const also = page.userIds && !known
    ? html`<div class="body"><p>No number of a user <strong>${wanted}</strong> was found.
        <a href="${userPath(wanted, "")}">Look at this user</a></p></div>`
    : "";
  return { phones, next: String(found.nextPageToken ?? ""), also };
}

/**
 * Numbers as people of the default region write them.
 * @param {string} wanted
 * @param {string} state
 * @returns {Promise<Phone[]>}
 */
async function national(wanted, state) {
  try {
    const found = await call(SEARCH, { phone: wanted, ...(state && { isVerified: state === "verified" }) });
    return found.phones ?? [];
  } catch (error) {
    // Digits that are no number may still be somebody's id.
    if (error instanceof Failure && error.code === "invalid_argument") return [];
    throw error;
  }
}

/** @param {Phone[]} phones */
function table(phones) {
  return html`
    <div class="scroll"><table>
      <thead><tr><th scope="col">Number</th><th scope="col">User</th><th scope="col">State</th>
        <th scope="col" class="wide">Organisation</th><th scope="col" class="wide">Since</th></tr></thead>
      <tbody>${phones.map(
        (phone) => html`
          <tr>
            <td class="nowrap">${phone.phone}</td>
            <td class="name"><a href="${userPath(phone.userId, phone.organizationId)}">${phone.userId}</a></td>
            <td><span class="row tight">${states(phone)}</span></td>
            <td class="wide">${phone.organizationId}</td>
            <td class="wide">${moment(phone.creationDate)}</td>
          </tr>`,
      )}</tbody>
    </table></div>`;
}

/**
 * How a number stands.
 * @param {Phone} phone
 */
export function states(phone) {
  return [
    phone.isVerified ? tag("verified", "good") : phone.isPending ? tag("waits for its code", "warn") : tag("not verified", "warn"),
    phone.isPrimary ? tag("primary", "accent") : "",
  ];
}

/**
 * @param {string} q
 * @param {string} state
 * @param {string} token
 * @param {string} next
 */
function pages(q, state, token, next) {
  return html`
    <nav class="row foot" aria-label="Pages of the list">
      ${token ? html`<a class="button" href="${address("/console/find", { q, state })}">First page</a>` : ""}
      ${next ? html`<a class="button" href="${address("/console/find", { q, state, page: next })}">Next page</a>` : ""}
    </nav>`;
}
