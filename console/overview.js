// @ts-check
// Overview: how messages with codes go, by hour, route and country, and what waits.

import { call } from "./api.js";
import { html, one } from "./html.js";
import { address, head, load, moment, tag } from "./parts.js";
import { money, percent, time } from "./words.js";

export const title = "Overview";

/**
 * @typedef {{ sent: number, delivered: number, undelivered: number, verified: number, cost: number }} Tally
 * @typedef {{ date: string, route: string, country: string } & Tally} Hour
 */

const SPANS = /** @type {[number, string][]} */ ([
  [24, "24 hours"],
  [72, "3 days"],
  [168, "7 days"],
]);
const HOUR = 3_600_000;

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  const span = SPANS.find(([hours]) => String(hours) === place.query.get("hours"))?.[0] ?? 24;
  place.draw(html`
    ${head(
      "Overview",
      html`<nav class="row" aria-label="Span">${SPANS.map(
        ([hours, word]) =>
          html`<a class="button small" href="${address("/console/overview", { hours: String(hours) })}" ${hours === span ? html`aria-current="true"` : ""}>${word}</a>`,
      )}</nav>`,
    )}
    <div class="stack" data-figures></div>`);
  await load(one(main, "[data-figures]"), place.signal, async () => {
    const told = await call("ringback.sms.v1.MessageService/GetDeliveryStatistics", { hours: span });
    return figures(span, (told.hours ?? []).map(read), told.waiting ?? [], told.routes ?? []);
  });
  // On a narrow screen the newest hours come first.
  const chart = main.querySelector("[role=region]");
  if (chart) chart.scrollLeft = chart.scrollWidth;
}

/** @param {any} told protobuf's JSON writes large numbers as texts, and leaves zeros out */
function read(told) {
  const count = (/** @type {string} */ name) => Number(told[name] ?? 0);
  return /** @type {Hour} */ ({
    date: told.date,
    route: told.route,
    country: told.country ?? "",
    sent: count("sent"),
    delivered: count("delivered"),
    undelivered: count("undelivered"),
    verified: count("verified"),
    cost: count("cost"),
  });
}

/**
 * @param {number} span
 * @param {Hour[]} hours
 * @param {{ route?: string, count?: string, oldestDate?: string }[]} waiting
 * @param {{ route: string, restingUntilDate?: string }[]} routes
 */
function figures(span, hours, waiting, routes) {
  const all = sum(hours);
  const queued = waiting.reduce((count, one) => count + Number(one.count ?? 0), 0);
  const tile = (/** @type {string} */ name, /** @type {string | number} */ value, /** @type {string} */ beside) =>
    html`<div class="tile"><span class="quiet">${name}</span><strong>${value}</strong><span class="quiet">${beside}</span></div>`;
  const receipts = all.delivered + all.undelivered;
  const resting = routes.filter((one) => one.restingUntilDate);
  return html`
    ${resting.map(
      ({ route, restingUntilDate }) => html`<p class="note bad">The route <strong>${route}</strong> fails and is left alone until
        ${moment(restingUntilDate)}; messages go over the next one, or wait.</p>`,
    )}
    <div class="tiles">
      ${tile("Codes sent", all.sent.toLocaleString("en"), "taken by a route")}
      ${tile("Handed in", percent(all.verified, all.sent), `${all.verified.toLocaleString("en")} codes`)}
      ${tile("Arrived", percent(all.delivered, receipts), receipts === 0 ? "no receipts" : `of ${receipts.toLocaleString("en")} receipts`)}
      ${tile("Cost", all.cost === 0 ? "–" : money(all.cost), all.cost === 0 ? "no route has a price" : ofEach(all))}
      ${tile("Waiting now", queued.toLocaleString("en"), queued === 0 ? "nothing" : "messages")}
    </div>
    <section class="sheet" aria-labelledby="by-hour">
      <div class="top"><h2 id="by-hour">By hour</h2>
        <span class="row legend"><i class="mark sent"></i>sent <i class="mark verified"></i>handed in</span></div>
      <div class="body">${chart(span, hours)}</div>
    </section>
    <div class="columns">
      ${ranking("By route", "Route", group(hours, (hour) => hour.route), routes.map((one) => one.route))}
      ${ranking("By country", "Country", group(hours, (hour) => hour.country), [])}
    </div>
    <section class="sheet" aria-labelledby="queue">
      <div class="top"><h2 id="queue">What waits</h2></div>
      ${waiting.length === 0 ? html`<p class="empty">No message waits.</p>` : queue(waiting)}
    </section>`;
}

/** @param {Tally} all */
function ofEach(all) {
  return all.verified === 0 ? "no code was handed in" : `${money(all.cost / all.verified)} for each code handed in`;
}

/**
 * @param {Tally[]} tallies
 * @returns {Tally}
 */
function sum(tallies) {
  const all = { sent: 0, delivered: 0, undelivered: 0, verified: 0, cost: 0 };
  for (const one of tallies) {
    all.sent += one.sent;
    all.delivered += one.delivered;
    all.undelivered += one.undelivered;
    all.verified += one.verified;
    all.cost += one.cost;
  }
  return all;
}

/**
 * @param {Hour[]} hours
 * @param {(hour: Hour) => string} by
 * @returns {Map<string, Tally>}
 */
function group(hours, by) {
  /** @type {Map<string, Hour[]>} */
  const found = new Map();
  for (const hour of hours) found.set(by(hour), [...(found.get(by(hour)) ?? []), hour]);
  return new Map([...found].map(([name, all]) => [name, sum(all)]));
}

/**
 * Bars by hour; the same figures as a table below them.
 * @param {number} span
 * @param {Hour[]} hours
 */
function chart(span, hours) {
  const by = group(hours, (hour) => String(Date.parse(hour.date)));
  const now = Math.floor(Date.now() / HOUR) * HOUR;
  // The service's clock may be another one.
  const last = Math.max(now, ...[...by.keys()].map(Number));
  const each = Array.from({ length: span }, (_, at) => last - (span - 1 - at) * HOUR);
  const none = { sent: 0, delivered: 0, undelivered: 0, verified: 0, cost: 0 };
  const bars = each.map((hour) => ({ hour, ...(by.get(String(hour)) ?? none) }));
  const most = nice(Math.max(1, ...bars.map((bar) => Math.max(bar.sent, bar.verified))));
  // A narrow page gets fewer words below the bars rather than a chart that scrolls.
  const narrow = matchMedia("(max-width: 640px)").matches;
  const [width, height, left, foot] = [narrow ? 360 : 960, 180, 44, 22];
  const step = (width - left) / span;
  const y = (/** @type {number} */ count) => height - (count / most) * (height - 10);
  const every = Math.ceil(span / (narrow ? 3 : 8));
  const round = (/** @type {number} */ value) => Math.round(value * 100) / 100;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Chart by hour">
    <svg class="chart ${narrow ? "narrow" : ""}" viewBox="0 0 ${width} ${height + foot}" role="img" aria-label="Codes sent and handed in, by hour. The table below has the figures.">
      ${[0, most / 2, most].map(
        (count) => html`<line x1="${left}" x2="${width}" y1="${y(count)}" y2="${y(count)}" class="grid"/>
          <text x="${left - 8}" y="${y(count) + 4}" text-anchor="end">${count}</text>`,
      )}
      ${bars.map(({ hour, sent, verified }, at) => {
        const x = round(left + at * step + step * 0.15);
        const wide = round(step * 0.7);
        return html`<g><title>${time(hour)}: ${sent} sent, ${verified} handed in</title>
          <rect x="${x}" y="${round(y(sent))}" width="${wide}" height="${round(height - y(sent))}" class="sent"/>
          <rect x="${x}" y="${round(y(verified))}" width="${wide}" height="${round(height - y(verified))}" class="verified"/>
          ${at % every === 0 ? html`<text x="${x}" y="${height + 16}">${label(hour, span)}</text>` : ""}</g>`;
      })}
    </svg></div>
    <details><summary>The figures</summary>
      <div class="scroll"><table>
        <thead><tr><th scope="col">Hour</th><th scope="col" class="figure">Sent</th><th scope="col" class="figure">Handed in</th>
          <th scope="col" class="figure">Arrived</th><th scope="col" class="figure">Not arrived</th>
          <th scope="col" class="figure">Cost</th></tr></thead>
        <tbody>${bars
          .filter((bar) => bar.sent + bar.verified + bar.delivered + bar.undelivered + bar.cost > 0)
          .reverse()
          .map(
            (bar) => html`<tr><td class="nowrap">${time(bar.hour)}</td><td class="figure">${bar.sent}</td>
              <td class="figure">${bar.verified}</td><td class="figure">${bar.delivered}</td><td class="figure">${bar.undelivered}</td>
              <td class="figure">${money(bar.cost)}</td></tr>`,
          )}</tbody>
      </table></div></details>`;
}

/**
 * The next round number that halves evenly.
 * @param {number} most
 */
function nice(most) {
  const size = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 4, 6, 8, 10].find((step) => step * size >= most) ?? 10;
  return Math.max(2, step * size);
}

/**
 * @param {number} hour
 * @param {number} span
 */
function label(hour, span) {
  const date = new Date(hour);
  if (span <= 24) return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

/**
 * @param {string} name
 * @param {string} column
 * @param {Map<string, Tally>} groups
 * @param {string[]} idle names that are shown also without figures
 */
function ranking(name, column, groups, idle) {
  const none = { sent: 0, delivered: 0, undelivered: 0, verified: 0, cost: 0 };
  const all = new Map([...idle.map((one) => /** @type {[string, Tally]} */ ([one, none])), ...groups]);
  const sorted = [...all].sort(([, a], [, b]) => b.sent - a.sent);
  const id = name.toLowerCase().replace(/ /g, "-");
  return html`
    <section class="sheet" aria-labelledby="${id}">
      <div class="top"><h2 id="${id}">${name}</h2></div>
      ${sorted.length === 0
        ? html`<p class="empty">Nothing was sent.</p>`
        : html`<div class="scroll"><table>
            <thead><tr><th scope="col">${column}</th><th scope="col" class="figure">Sent</th>
              <th scope="col" class="figure">Arrived</th><th scope="col" class="figure">Handed in</th>
              <th scope="col" class="figure">Cost</th></tr></thead>
            <tbody>${sorted.map(
              ([name, tally]) => html`<tr><td>${name || "none"}</td><td class="figure">${tally.sent.toLocaleString("en")}</td>
                <td class="figure">${percent(tally.delivered, tally.delivered + tally.undelivered)}</td>
                <td class="figure">${percent(tally.verified, tally.sent)}</td>
                <td class="figure">${money(tally.cost)}</td></tr>`,
            )}</tbody></table></div>`}
    </section>`;
}

/** @param {{ route?: string, count?: string, oldestDate?: string }[]} waiting */
function queue(waiting) {
  return html`
    <div class="scroll"><table>
      <thead><tr><th scope="col">Route</th><th scope="col" class="figure">Messages</th><th scope="col">The oldest could go out</th></tr></thead>
      <tbody>${waiting.map(
        ({ route, count, oldestDate }) => html`<tr><td>${route || tag("none yet", "warn")}</td>
          <td class="figure">${count ?? 0}</td><td>${moment(oldestDate, "away")}</td></tr>`,
      )}</tbody>
    </table></div>`;
}
