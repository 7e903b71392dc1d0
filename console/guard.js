// @ts-check
// Guard: where codes are held back, why, and letting them pass for a while.

import { call } from "./api.js";
import { html, onClick, one } from "./html.js";
import { ask, head, load, moment, tag } from "./parts.js";
import { may } from "./session.js";
import { percent } from "./words.js";

export const title = "Guard";

const SERVICE = "ringback.guard.v1.GuardService";

/**
 * @typedef {{ reason: string, untilDate?: string }} Hold
 * @typedef {{ organizationId?: string, mode: string, country?: string, prefix?: string, sent?: number, answered?: number,
 *   holds?: Hold[], sinceDate?: string, allowedUntilDate?: string }} Standing
 */

const MODES = /** @type {Record<string, string>} */ ({
  GUARD_MODE_OFF: "Off: nothing is looked at.",
  GUARD_MODE_RECORD: "Records: everything is sent, and what would not be is on record.",
  GUARD_MODE_ENFORCE: "Enforces: what there is a reason against is not sent.",
});

const REASONS = /** @type {Record<string, string>} */ ({
  country_growth: "many more codes than usual, and few handed in",
  country_day: "as many codes as a country gets in a day",
  country_hour: "as many codes as a country gets in an hour",
  prefix: "numbers that begin alike, and few codes handed in",
  prefix_day: "as many codes as numbers that begin alike get in a day",
});

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  const held = place.query.get("held") === "yes";
  place.draw(html`
    ${head(
      "Guard",
      html`<nav class="row" aria-label="What is shown">
        <a class="button small" href="/console/guard" ${held ? "" : html`aria-current="true"`}>Everything</a>
        <a class="button small" href="/console/guard?held=yes" ${held ? html`aria-current="true"` : ""}>Held back</a></nav>`,
    )}
    <div class="stack" data-guard></div>`);
  const draw = () =>
    load(one(main, "[data-guard]"), place.signal, async () => {
      const told = await call(`${SERVICE}/GetGuardStatus`, { heldOnly: held });
      return status(told.mode ?? "", told.standings ?? [], told.more ?? 0);
    });
  onClick(main, "[data-allow]", (button) => {
    const { country = "", prefix = "", name = "" } = button.dataset;
    ask({
      title: `Let codes to ${name} pass`,
      says: html`<p>Codes go out to ${name} whatever was counted against it, in the organisation that you act in. What the configuration refuses stays refused, and every code costs.</p>`,
      fields: html`<label>For how many hours<input name="hours" type="number" min="1" max="720" value="24" required></label>`,
      button: "Let them pass",
      run: async (data) => {
        const duration = `${Number(data.get("hours")) * 3600}s`;
        await call(`${SERVICE}/AllowDestination`, { ...(prefix ? { prefix } : { country }), duration });
        return `Codes to ${name} pass.`;
      },
      done: draw,
    });
  });
  await draw();
}

/**
 * @param {string} mode
 * @param {Standing[]} standings
 * @param {number} more
 */
function status(mode, standings, more) {
  return html`
    <p class="note">${MODES[mode] ?? "The guard says nothing of itself here."}</p>
    <section class="sheet" aria-label="Countries and numbers that begin alike">
      ${standings.length === 0 ? html`<p class="empty">No code went anywhere, or none is held back.</p>` : table(standings)}
      ${more > 0 ? html`<p class="note">And ${more} more.</p>` : ""}
    </section>`;
}

/** @param {Standing[]} standings */
function table(standings) {
  return html`
    <div class="scroll"><table>
      <thead><tr><th scope="col">Where</th><th scope="col" class="wide">Organisation</th><th scope="col" class="figure">Sent</th>
        <th scope="col" class="wide figure">Handed in</th><th scope="col">Stands</th></tr></thead>
      <tbody>${standings.map(row)}</tbody>
    </table></div>`;
}

/** @param {Standing} one */
function row(one) {
  const { country = "", prefix = "", sent = 0, answered = 0, holds = [], sinceDate, allowedUntilDate } = one;
  const name = prefix ? `${prefix}…` : country;
  return html`
    <tr>
      <td class="nowrap">${name}</td>
      <td class="wide">${one.organizationId ?? ""}</td>
      <td class="figure">${sent}</td>
      <td class="wide figure">${percent(answered, sent)}</td>
      <td><div class="split"><div>${allowedUntilDate
          ? html`${tag("let pass", "accent")} until ${moment(allowedUntilDate)}`
          : holds.length === 0
            ? tag("passes", "good")
            : html`${one.mode === "GUARD_MODE_ENFORCE" ? tag("held back", "bad") : tag("would be held back", "warn")}
                ${sinceDate ? html`since ${moment(sinceDate)}` : ""}
                <ul class="plain">${holds.map(
                  ({ reason, untilDate }) => html`<li>${REASONS[reason] ?? reason}${untilDate ? html`, until ${moment(untilDate)} at least` : ""}</li>`,
                )}</ul>`}</div>
      ${may("guard.write")
        ? html`<button type="button" data-allow data-country="${country}" data-prefix="${prefix}" data-name="${name}" aria-label="Let pass: ${name}">Let pass</button>`
        : ""}</div></td>
    </tr>`;
}
