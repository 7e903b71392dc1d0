// @ts-check
// API: the contract as pages, and a request that can be tried.

import { ask } from "./api.js";
import { html, one, put } from "./html.js";
import { address, head, load, tag, words } from "./parts.js";

export const title = "API";

/**
 * @typedef {{ name: string, in: string, required?: boolean, description?: string, example?: unknown, schema?: any }} Parameter
 * @typedef {{ operationId: string, summary?: string, description?: string, tags?: string[], parameters?: (Parameter | { $ref: string })[],
 *   requestBody?: any, responses: Record<string, any>, deprecated?: boolean }} Operation
 */

/** @type {Promise<any> | null} */
let kept = null;

/** The contract, which does not change while the program runs. */
function contract() {
  kept ??= ask("/openapi.json").then((response) => response.json());
  kept.catch(() => (kept = null));
  return kept;
}

/**
 * Every operation, with its method and path.
 * @param {any} document
 * @returns {{ method: string, path: string, operation: Operation }[]}
 */
function operations(document) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(/** @type {Record<string, Operation>} */ (methods))
      .filter(([, operation]) => operation.operationId)
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  place.draw(html`
    ${head("API", html`<a href="/openapi.json">The contract as a file</a>`)}
    <label>Filter<input type="search" data-filter autocomplete="off" placeholder="verify, /phones, GET"></label>
    <div class="stack" data-list></div>`);
  const list = one(main, "[data-list]");
  await load(list, place.signal, async () => {
    const all = operations(await contract());
    // Ours first, then what others' clients call.
    const ours = (/** @type {string} */ name) => (name.startsWith("ringback") ? 0 : name.includes("zitadel") ? 1 : 2);
    const tags = [...new Set(all.map(({ operation }) => operation.tags?.[0] ?? ""))].sort((a, b) => ours(a) - ours(b) || a.localeCompare(b));
    return html`${tags.map(
      (name, at) => html`
        <section class="sheet" aria-labelledby="tag-${at}">
          <div class="top"><h2 id="tag-${at}">${name}</h2></div>
          <ul class="operations">${all
            .filter(({ operation }) => (operation.tags?.[0] ?? "") === name)
            .map(
              ({ method, path, operation }) => html`
                <li><a href="${`/console/api/${encodeURIComponent(operation.operationId)}`}">${operation.summary ?? operation.operationId}</a>
                  <span class="quiet"><code>${method}</code> <code>${path}</code></span></li>`,
            )}</ul>
        </section>`,
    )}`;
  });
  const filter = /** @type {HTMLInputElement} */ (one(main, "[data-filter]"));
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const section of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll("section"))) {
      const items = /** @type {HTMLElement[]} */ ([...section.querySelectorAll("li")]);
      for (const item of items) item.hidden = !(item.textContent ?? "").toLowerCase().includes(wanted);
      section.hidden = items.every((item) => item.hidden);
    }
  });
}

/** One operation. */
export const single = {
  title: "API",
  /**
   * @param {HTMLElement} main
   * @param {import("./app.js").Place} place
   */
  async show(main, place) {
    place.draw(html`<div class="stack" data-operation></div>`);
    const sheet = one(main, "[data-operation]");
    await load(sheet, place.signal, async () => {
      const document = await contract();
      const found = operations(document).find(({ operation }) => operation.operationId === place.found[0]);
      if (!found) return html`${head("Not found")}<p>The contract has no operation of this name.</p>`;
      return draw(document, found);
    });
    const form = /** @type {HTMLFormElement | null} */ (sheet.querySelector("form"));
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      send(sheet, form);
    });
  },
};

/**
 * What a reference stands for.
 * @param {any} document
 * @param {any} value
 * @returns {any}
 */
function resolve(document, value) {
  if (!value?.$ref) return value;
  const parts = value.$ref.slice(2).split("/").map((/** @type {string} */ part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
  return parts.reduce((/** @type {any} */ at, /** @type {string} */ part) => at?.[part], document);
}

/**
 * @param {any} document
 * @param {{ method: string, path: string, operation: Operation }} found
 */
function draw(document, { method, path, operation }) {
  /** @type {Parameter[]} */
  const parameters = (operation.parameters ?? []).map((one) => resolve(document, one));
  const body = resolve(document, operation.requestBody);
  const [kind, content] = Object.entries(body?.content ?? {})[0] ?? [];
  const schema = resolve(document, /** @type {any} */ (content)?.schema);
  return html`
    ${head(operation.summary ?? operation.operationId, html`<a href="/console/api">All</a>`)}
    <p><code>${method}</code> <code>${path}</code> ${operation.deprecated ? tag("deprecated", "warn") : ""}</p>
    ${operation.description ? html`<p class="story">${operation.description}</p>` : ""}
    <section class="sheet" aria-labelledby="try">
      <div class="top"><h2 id="try">Try it</h2><span class="quiet">With your own token, on this service: what it changes is changed.</span></div>
      <form class="body" data-method="${method}" data-path="${path}" data-kind="${kind ?? ""}">
        ${parameters.filter((one) => one.in !== "header").map(field)}
        ${kind
          ? html`<label>Body <small>${kind}</small>
              <textarea name="body" rows="8" spellcheck="false">${sample(/** @type {any} */ (content))}</textarea></label>`
          : ""}
        ${parameters.some((one) => one.in === "header")
          ? html`<details><summary>Headers</summary><div class="stack">${parameters.filter((one) => one.in === "header").map(field)}</div></details>`
          : ""}
        <div class="row"><button class="main">Send</button></div>
        <div class="stack" aria-live="polite" data-answer></div>
      </form>
    </section>
    ${schema?.properties ? fields("What is sent", document, schema) : ""}
    <section class="sheet" aria-labelledby="answers">
      <div class="top"><h2 id="answers">Answers</h2></div>
      <div class="body"><dl class="facts">${Object.entries(operation.responses).map(
        ([status, response]) => html`<dt><code>${status}</code></dt><dd>${resolve(document, response)?.description ?? ""}</dd>`,
      )}</dl></div>
    </section>`;
}

/** @param {Parameter} parameter */
function field(parameter) {
  const { name, in: place, required, description } = parameter;
  return html`<label>${name} <small>${place}${required ? ", needed" : ""}${description ? `. ${description}` : ""}</small>
    <input name="${name}" data-in="${place}" value="${required ? example(parameter) : ""}" ${required ? html`required` : ""} autocomplete="off" spellcheck="false"></label>`;
}

/** @param {Parameter} parameter */
function example(parameter) {
  return String(parameter.example ?? parameter.schema?.example ?? parameter.schema?.default ?? "");
}

/** @param {{ example?: unknown, examples?: Record<string, { value: unknown }> }} content */
function sample(content) {
  const value = content.example ?? Object.values(content.examples ?? {})[0]?.value ?? {};
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/**
 * @param {string} name
 * @param {any} document
 * @param {any} schema
 */
function fields(name, document, schema) {
  const needed = schema.required ?? [];
  return html`
    <section class="sheet" aria-labelledby="fields">
      <div class="top"><h2 id="fields">${name}</h2></div>
      <div class="body"><dl class="facts">${Object.entries(schema.properties).map(([field, value]) => {
        const told = resolve(document, value);
        const type = [told?.type ?? told?.anyOf?.[0]?.type ?? ""].flat().filter((one) => one !== "null").join(" or ");
        return html`<dt><code>${field}</code></dt><dd>${/** @type {any} */ (value).description ?? told?.description ?? ""}
          <span class="quiet">${type}${needed.includes(field) ? ", needed" : ""}</span></dd>`;
      })}</dl></div>
    </section>`;
}

/**
 * @param {HTMLElement} sheet
 * @param {HTMLFormElement} form
 */
async function send(sheet, form) {
  const { method = "GET", kind } = form.dataset;
  let path = form.dataset.path ?? "";
  /** @type {Record<string, string>} */
  const query = {};
  /** @type {Record<string, string>} */
  const headers = {};
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input"))) {
    const { name, value } = input;
    if (input.dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (input.dataset.in === "query") query[name] = value;
    else if (value) headers[name] = value;
  }
  const body = /** @type {HTMLTextAreaElement | null} */ (form.querySelector("textarea"));
  if (body && kind) headers["content-type"] = kind;
  const place = one(sheet, "[data-answer]");
  try {
    const response = await ask(address(path, query), { method, headers, ...(body && { body: body.value }) }, true);
    const text = await response.text();
    put(place, html`<p>${tag(`${response.status}`, response.ok ? "good" : "bad")}</p><pre tabindex="0" aria-label="The answer">${pretty(text)}</pre>`);
  } catch (error) {
    put(place, html`<p class="note bad">${words(error)}</p>`);
  }
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
