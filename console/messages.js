// @ts-check
// Messages: which were sent, and what became of them.

import { call } from "./api.js";
import { html, onClick, one } from "./html.js";
import { address, ask, head, load, messageKind, messageState, messageStates, moment, tag, userPath } from "./parts.js";
import { may } from "./session.js";
import { protoSeconds } from "./words.js";

export const title = "Messages";

const SERVICE = "ringback.sms.v1.MessageService";
const PAGE = 50;

/**
 * @typedef {RingbackMethods["ringback.sms.v1.MessageService/ListMessages"]["state"]} State
 * @typedef {{ number: number, route: string, date: string, duration?: string, times?: number, result: string, fault?: string,
 *   reason?: string, segments?: number, cost?: string }} Attempt
 * @typedef {{ messageId: string, userId: string, organizationId: string, maskedPhone: string, kind: string, state: string,
 *   story: string, route?: string, creationDate: string, expirationDate: string, nextAttemptDate?: string, endDate?: string,
 *   attempts?: Attempt[], reference?: string, cost?: string }} Message
 */

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  const [user, phone, state, page] = ["user", "phone", "state", "page"].map((name) => place.query.get(name) ?? "");
  place.draw(
    html`
      ${head("Messages")}
      <form class="row end" role="search">
        <label>User id<input name="user" value="${user}" autocomplete="off" spellcheck="false"></label>
        <label>Number<input name="phone" type="tel" value="${phone}" autocomplete="off"></label>
        <label>State<select name="state"><option value="">Any</option>
          ${messageStates.map(
            ({ name, word }) => html`<option value="${name}" ${name === state ? html`selected` : ""}>${word}</option>`,
          )}</select></label>
        <button class="main">Show</button>
      </form>
      <section class="sheet" aria-label="Messages" aria-live="polite"></section>`,
  );
  const form = /** @type {HTMLFormElement} */ (one(main, "form"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const of = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
    place.go(address("/console/messages", { user: of("user"), phone: of("phone"), state: of("state") }));
  });
  await load(one(main, "section"), place.signal, async () => {
    const found = await call(`${SERVICE}/ListMessages`, {
      userId: user,
      phone,
      ...(state && { state: /** @type {State} */ (state) }),
      limit: PAGE,
      pageToken: page,
    });
    const at = { user, phone, state };
    return html`
      ${found.blocked ? html`<div class="body"><p class="note warn">${found.blocked}</p></div>` : ""}
      ${rows(found.messages ?? [], { withUser: true })}
      ${page || found.nextPageToken
        ? html`<nav class="row foot" aria-label="Pages of the list">
            ${page ? html`<a class="button" href="${address("/console/messages", at)}">First page</a>` : ""}
            ${found.nextPageToken
              ? html`<a class="button" href="${address("/console/messages", { ...at, page: found.nextPageToken })}">Next page</a>`
              : ""}</nav>`
        : ""}`;
  });
}

/**
 * Messages as a table.
 * @param {Message[]} messages
 * @param {{ withUser: boolean }} how
 */
export function rows(messages, { withUser }) {
  if (messages.length === 0) return html`<p class="empty">No message fits.</p>`;
  return html`
    <div class="scroll"><table>
      <thead><tr><th scope="col">When</th>${withUser ? html`<th scope="col">User</th>` : ""}<th scope="col">State</th>
        <th scope="col" class="wide">Number</th><th scope="col" class="wide">What</th><th scope="col" class="wide">Route</th>
        <th scope="col" class="wide">Why</th></tr></thead>
      <tbody>${messages.map(
        (message) => html`
          <tr>
            <td class="nowrap"><a href="/console/messages/${message.messageId}">${moment(message.creationDate)}</a></td>
            ${withUser ? html`<td class="name"><a href="${userPath(message.userId, message.organizationId)}">${message.userId}</a></td>` : ""}
            <td>${messageState(message.state)}</td>
            <td class="wide nowrap">${message.maskedPhone}</td>
            <td class="wide">${messageKind(message.kind)}</td>
            <td class="wide">${message.route ?? ""}</td>
            <td class="wide clip" title="${message.story}">${message.story}</td>
          </tr>`,
      )}</tbody>
    </table></div>`;
}

/** One message with its trail. */
export const single = {
  title: "Message",
  /**
   * @param {HTMLElement} main
   * @param {import("./app.js").Place} place
   */
  async show(main, place) {
    place.draw(html`${head("Message", html`<span data-actions></span>`)}<div class="stack" data-message></div>`);
    const [messageId] = place.found;
    const draw = () =>
      load(one(main, "[data-message]"), place.signal, async () => {
        const { message } = await call(`${SERVICE}/GetMessage`, { messageId });
        return detail(message);
      });
    onClick(main, "[data-retry]", () =>
      ask({
        title: "Try the message again",
        says: html`<p>It is tried at once, from the first route on, as long as its code is of use and the user has the number. It may cost what a message costs.</p>`,
        button: "Try again",
        run: async () => {
          await call(`${SERVICE}/RetryMessage`, { messageId });
          return "The message is tried again.";
        },
        done: draw,
      }),
    );
    await draw();
  },
};

/** @param {Message} message */
function detail(message) {
  const { attempts = [] } = message;
  const fact = (/** @type {string} */ name, /** @type {import("./html.js").Part} */ value) =>
    value ? html`<dt>${name}</dt><dd>${value}</dd>` : "";
  return html`
    <section class="sheet" aria-labelledby="story">
      <div class="top"><h2 id="story">${messageKind(message.kind)} to ${message.maskedPhone}</h2>
        <div class="row">${messageState(message.state)}
          ${may("sms.write") ? html`<button type="button" data-retry>Try again</button>` : ""}</div></div>
      <div class="body">
        <p class="story">${message.story}</p>
        <dl class="facts">
          ${fact("User", html`<a href="${userPath(message.userId, message.organizationId)}">${message.userId}</a>`)}
          ${fact("Organisation", message.organizationId)}
          ${fact("Asked for", moment(message.creationDate))}
          ${fact("Of use until", moment(message.expirationDate))}
          ${fact("Next attempt", moment(message.nextAttemptDate))}
          ${fact("Ended", moment(message.endDate))}
          ${fact("Route", message.route)}
          ${fact("Cost", message.cost)}
          ${fact("Route's own id", message.reference && html`<code>${message.reference}</code>`)}
          ${fact("Id", html`<code>${message.messageId}</code>`)}
        </dl>
      </div>
    </section>
    <section class="sheet" aria-labelledby="trail">
      <div class="top"><h2 id="trail">What was tried</h2></div>
      ${attempts.length === 0 ? html`<p class="empty">Nothing yet.</p>` : trail(attempts)}
    </section>`;
}

const RESULTS = /** @type {Record<string, [string, "good" | "warn" | "bad" | ""]>} */ ({
  taken: ["taken", "good"],
  not_now: ["not now", "warn"],
  unable: ["unable", "bad"],
  never: ["never", "bad"],
  unknown: ["no answer", "warn"],
  skipped: ["skipped", ""],
});

/** @param {Attempt[]} attempts */
function trail(attempts) {
  return html`
    <div class="scroll"><table>
      <thead><tr><th scope="col">When</th><th scope="col">Route</th><th scope="col">Result</th><th scope="col">Why</th>
        <th scope="col" class="wide figure">Took</th><th scope="col" class="wide figure">Segments</th>
        <th scope="col" class="wide figure">Cost</th></tr></thead>
      <tbody>${attempts.map((one) => {
        const [word, kind] = RESULTS[one.result] ?? [one.result, ""];
        return html`
          <tr>
            <td class="nowrap">${moment(one.date)}</td>
            <td>${one.route}</td>
            <td class="nowrap">${tag(word, kind)} ${(one.times ?? 1) > 1 ? `${one.times} times` : ""}</td>
            <td>${one.reason ?? ""} ${one.fault ? html`<span class="quiet">(${one.fault})</span>` : ""}</td>
            <td class="wide figure nowrap">${one.duration ? `${Math.round(protoSeconds(one.duration) * 1000)} ms` : ""}</td>
            <td class="wide figure">${one.segments ?? ""}</td>
            <td class="wide figure">${one.cost ?? ""}</td>
          </tr>`;
      })}</tbody>
    </table></div>`;
}
