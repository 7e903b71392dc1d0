// @ts-check
// Settings: every key in effect, where its value came from, and what it means.

import { call } from "./api.js";
import { html, one } from "./html.js";
import { head, load, tag } from "./parts.js";
import { many } from "./words.js";

export const title = "Settings";

/** @typedef {{ key: string, value: string, origin?: string, about?: string }} Setting */

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  place.draw(html`
    ${head("Settings", html`<span class="quiet">In effect since the program started. Secrets are hidden.</span>`)}
    <div class="row end">
      <label class="grow">Filter<input type="search" data-filter autocomplete="off" placeholder="limits, sender, 86400"></label>
      <label class="flat"><input type="checkbox" data-changed> Only what is no default</label>
      <span class="quiet" role="status" data-count></span>
    </div>
    <div class="stack" data-settings></div>`);
  const list = one(main, "[data-settings]");
  await load(list, place.signal, async () => {
    const { settings = [] } = await call("ringback.admin.v1.AdminService/GetConfig");
    return html`${sections(settings)}`;
  });
  const filter = /** @type {HTMLInputElement} */ (one(main, "[data-filter]"));
  const changed = /** @type {HTMLInputElement} */ (one(main, "[data-changed]"));
  const narrow = () => {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const section of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll("section"))) {
      let some = 0;
      for (const item of /** @type {NodeListOf<HTMLElement>} */ (section.querySelectorAll("[data-key]"))) {
        const fits = (item.textContent ?? "").toLowerCase().includes(wanted);
        item.hidden = !fits || (changed.checked && item.dataset.changed !== "");
        some += item.hidden ? 0 : 1;
      }
      section.hidden = some === 0;
      shown += some;
    }
    one(main, "[data-count]").textContent = many(shown, "key");
  };
  filter.addEventListener("input", narrow);
  changed.addEventListener("change", narrow);
  narrow();
}

/** @param {Setting[]} settings */
function sections(settings) {
  /** @type {Map<string, Setting[]>} */
  const found = new Map();
  for (const setting of settings) {
    const name = setting.key.includes(".") ? setting.key.split(".")[0] : "";
    found.set(name, [...(found.get(name) ?? []), setting]);
  }
  return [...found].map(
    ([name, keys]) => html`
      <section class="sheet" aria-labelledby="of-${name}">
        <div class="top"><h2 id="of-${name}">${name || "General"}</h2></div>
        ${keys.map(key)}
      </section>`,
  );
}

/** @param {Setting} setting */
function key({ key: name, value, origin, about }) {
  return html`
    <div class="setting" data-key ${origin ? html`data-changed` : ""}>
      <div class="row"><code class="name">${name}</code>${origin ? tag(origin, "accent") : ""}</div>
      <div class="stack tight"><code class="value">${value}</code>${meaning(name, about ?? "")}</div>
    </div>`;
}

/** So much of what a key means is shown at once. */
const SHORT = 260;

/**
 * @param {string} name
 * @param {string} about
 */
function meaning(name, about) {
  if (about === "") return "";
  if (about.length <= SHORT) return html`<p class="hint">${about}</p>`;
  return html`<details><summary>What it means<span class="unseen"> (${name})</span></summary><pre>${about}</pre></details>`;
}
