// @ts-check
// Events: who did what to which account, when.

import { call } from "./api.js";
import { html, one } from "./html.js";
import { address, head, load, moment, tag, userPath } from "./parts.js";

export const title = "Events";

const LIST = "ringback.audit.v1.AuditService/ListEvents";
const PAGE = 50;

/**
 * @typedef {{ position: string, eventId: string, userId: string, organizationId: string, date: string, actor?: string,
 *   kind: string, cause?: string, maskedPhone?: string, count?: number, detail?: string }} Event
 */

/** What kinds begin with. */
const KINDS = /** @type {[string, string][]} */ ([
  ["phone.*", "Numbers"],
  ["user.*", "Users"],
  ["message.*", "Messages"],
]);

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  const [user, phone, kind, page] = ["user", "phone", "kind", "page"].map((name) => place.query.get(name) ?? "");
  place.draw(
    html`
      ${head("Events")}
      <form class="row end" role="search">
        <label>User id<input name="user" value="${user}" autocomplete="off" spellcheck="false"></label>
        <label>Number<input name="phone" type="tel" value="${phone}" autocomplete="off"></label>
        <label>Kind<input name="kind" value="${kind}" list="kinds" autocomplete="off" spellcheck="false" placeholder="phone.*"></label>
        <datalist id="kinds">${KINDS.map(([name, word]) => html`<option value="${name}">${word}</option>`)}</datalist>
        <button class="main">Show</button>
      </form>
      <section class="sheet" aria-label="Events" aria-live="polite"></section>`,
  );
  const form = /** @type {HTMLFormElement} */ (one(main, "form"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const of = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
    place.go(address("/console/events", { user: of("user"), phone: of("phone"), kind: of("kind") }));
  });
  await load(one(main, "section"), place.signal, async () => {
    const kinds = kind ? { kinds: [kind] } : {};
    const found = await call(LIST, { userId: user, phone, ...kinds, limit: PAGE, pageToken: page });
    const at = { user, phone, kind };
    return html`
      ${rows(found.events ?? [], { withUser: true })}
      ${page || found.nextPageToken
        ? html`<nav class="row foot" aria-label="Pages of the list">
            ${page ? html`<a class="button" href="${address("/console/events", at)}">First page</a>` : ""}
            ${found.nextPageToken
              ? html`<a class="button" href="${address("/console/events", { ...at, page: found.nextPageToken })}">Next page</a>`
              : ""}</nav>`
        : ""}`;
  });
}

/**
 * The newest events of a user.
 * @param {string} userId
 * @param {string} organization
 */
export async function ofUser(userId, organization) {
  const found = await call(LIST, { userId, limit: 20 }, organization);
  return html`${rows(found.events ?? [], { withUser: false })}`;
}

/**
 * @param {Event[]} events
 * @param {{ withUser: boolean }} how
 */
function rows(events, { withUser }) {
  if (events.length === 0) return html`<p class="empty">No event fits.</p>`;
  return html`
    <div class="scroll"><table>
      <thead><tr><th scope="col">When</th><th scope="col">What</th>${withUser ? html`<th scope="col">User</th>` : ""}
        <th scope="col" class="wide">By</th><th scope="col" class="wide">Number</th><th scope="col" class="wide">More</th></tr></thead>
      <tbody>${events.map(
        (event) => html`
          <tr>
            <td class="nowrap">${moment(event.date)}</td>
            <td><code>${event.kind}</code> ${event.cause ? tag(event.cause, "warn") : ""}
              ${(event.count ?? 1) > 1 ? html`<span class="quiet">${event.count} times</span>` : ""}</td>
            ${withUser ? html`<td class="name"><a href="${userPath(event.userId, event.organizationId)}">${event.userId}</a></td>` : ""}
            <td class="wide nowrap">${event.actor === event.userId ? html`<span class="quiet">the user</span>` : (event.actor ?? "")}</td>
            <td class="wide nowrap">${event.maskedPhone ?? ""}</td>
            <td class="wide">${more(event)}</td>
          </tr>`,
      )}</tbody>
    </table></div>`;
}

/**
 * What more there is to know of an event.
 * @param {Event} event
 */
function more(event) {
  if (!event.detail) return "";
  /** @type {{ message?: string, route?: string, country?: string, reason?: string, reasons?: string[] }} */
  const detail = JSON.parse(event.detail);
  const held = (detail.reasons ?? []).map((reason) => tag(reason, "warn"));
  const words = [detail.route, detail.country, detail.reason].filter(Boolean);
  return html`${words.join(", ")} ${held} ${detail.message ? html`<a class="nowrap" href="/console/messages/${detail.message}">the message</a>` : ""}`;
}
