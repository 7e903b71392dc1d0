// @ts-check
// A user: numbers, open codes, what keeps the next one back, messages; and what can be done about it.

import { actsIn, call, Failure } from "./api.js";
import { ofUser } from "./events.js";
import { states } from "./find.js";
import { html, onClick, one } from "./html.js";
import { rows as messageRows } from "./messages.js";
import { ask, head, load, moment, tag } from "./parts.js";
import { may } from "./session.js";
import { many, protoSeconds, seconds } from "./words.js";

export const title = "User";

const PHONES = "ringback.phone.v1.PhoneService";

/**
 * @typedef {import("./find.js").Phone} Phone
 * @typedef {{ challengeId: string, expirationDate: string, guessesLeft?: number, sends?: number }} Code
 * @typedef {{ phone: Phone, code?: Code, removalCode?: Code, wrongCodes?: number, isLocked?: boolean,
 *   guessAfter?: string, resendAfter?: string, blocked?: string, replacesPrimary?: boolean }} PhoneStatus
 * @typedef {{ details: { organizationId: string, creationDate: string, changeDate: string, sequence: string },
 *   phones?: PhoneStatus[], limits?: { limit: string, used?: number, most: number, within: string }[] }} Status
 */

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").Place} place
 */
export async function show(main, place) {
  const user = place.found[0];
  const inOrganization = place.query.get("org") ?? "";
  document.title = `${user} · ringback`;
  const listed = (/** @type {string} */ name, /** @type {string} */ word) => html`
    <section class="sheet" aria-labelledby="${name}">
      <div class="top"><h2 id="${name}">${word}</h2><a href="/console/${name}?user=${encodeURIComponent(user)}">All<span class="unseen"> ${word}</span></a></div>
      <div data-${name}></div>
    </section>`;
  const whole = html`<div class="row">
    <button type="button" data-do="export">Export</button>
    ${may("user.delete") ? html`<button type="button" class="risky" data-do="erase">Erase</button>` : ""}</div>`;
  place.draw(html`${head(user, whole)}<div class="stack" data-status></div>
    ${may("sms.read") ? listed("messages", "Messages") : ""}${may("audit.read") ? listed("events", "Events") : ""}`);
  const at = { user, organization: inOrganization };
  /** @type {Status | null} */
  let known = null;
  const status = async () => {
    await load(one(main, "[data-status]"), place.signal, async () => {
      known = await call(`${PHONES}/GetUserPhoneStatus`, { userId: user }, inOrganization);
      return draw(/** @type {Status} */ (known));
    });
    refresh(known, place.signal, status);
  };
  const messages = async () => {
    if (!may("sms.read")) return;
    await load(one(main, "[data-messages]"), place.signal, async () => {
      const found = await call("ringback.sms.v1.MessageService/ListMessages", { userId: user, limit: 10 }, inOrganization || actsIn());
      return html`${messageRows(found.messages ?? [], { withUser: false })}`;
    });
  };
  const events = async () => {
    if (!may("audit.read")) return;
    await load(one(main, "[data-events]"), place.signal, () => ofUser(user, inOrganization || actsIn()));
  };
  const again = () => Promise.all([status(), messages(), events()]);
  onClick(main, "[data-do]", (button) => {
    const name = button.dataset.do ?? "";
    const phone = known?.phones?.find((one) => one.phone.id === button.dataset.phone);
    if (name === "export") ask({ ...exporting(at), done: () => {} });
    else if (name === "erase") ask({ ...erasing(at), done: () => place.go("/console/find") });
    else if (known) ask({ ...action(name, at, known, phone), done: again, failed: again });
  });
  await again();
}

/** The longest wait, in seconds, whose end is shown by itself. */
const SOON = 900;

/**
 * Looks again when the next wait is over.
 * @param {Status | null} status
 * @param {AbortSignal} signal
 * @param {() => unknown} look
 */
function refresh(status, signal, look) {
  const waits = (status?.phones ?? []).flatMap((one) => [one.resendAfter, one.guessAfter]).filter((wait) => wait !== undefined);
  const next = Math.min(...waits.map(protoSeconds));
  if (!(next <= SOON)) return;
  const timer = setTimeout(look, next * 1000 + 500);
  signal.addEventListener("abort", () => clearTimeout(timer));
}

/** @param {Status} status */
function draw(status) {
  const { details, phones = [], limits = [] } = status;
  const locked = phones.some((one) => one.isLocked);
  return html`
    <p class="quiet facts-line">
      <span>Organisation <strong>${details.organizationId}</strong></span>
      <span>registered ${moment(details.creationDate)}</span>
      <span>last change ${moment(details.changeDate)}</span>
    </p>
    ${locked ? html`<p class="note bad">Locked after too many wrong codes: no code is looked at until somebody unlocks the user.</p>` : ""}
    <section class="sheet" aria-labelledby="numbers">
      <div class="top"><h2 id="numbers">Numbers</h2>
        <div class="row">
          ${may("user.write") ? html`<button type="button" data-do="unlock">Unlock</button>` : ""}
          <button type="button" data-do="set">Set a number</button>
        </div></div>
      ${phones.length === 0 ? html`<p class="empty">The user has no number.</p>` : phones.map(number)}
    </section>
    <section class="sheet" aria-labelledby="limits">
      <div class="top"><h2 id="limits">Used up</h2></div>
      <div class="body"><dl class="facts">${limits.map(limit)}</dl></div>
    </section>`;
}

const LIMITS = /** @type {Record<string, string>} */ ({
  sends_per_account: "Messages sent",
  sets_per_account: "Numbers set by the user alone",
  changes_per_account: "Changes by the user alone",
});

/** @param {{ limit: string, used?: number, most: number, within: string }} one */
function limit({ limit: name, used = 0, most, within }) {
  return html`<dt>${LIMITS[name] ?? name}</dt><dd>${used} of ${most} in ${seconds(protoSeconds(within))}
    ${used >= most ? tag("used up", "warn") : ""}</dd>`;
}

/** @param {PhoneStatus} status */
function number(status) {
  const { phone, code, removalCode, wrongCodes = 0, isLocked, guessAfter, resendAfter, blocked, replacesPrimary } = status;
  const offer = (/** @type {string} */ name, /** @type {string} */ word, kind = "") =>
    html`<button type="button" class="${kind}" data-do="${name}" data-phone="${phone.id}" aria-label="${word}: ${phone.phone}">${word}</button>`;
  const writes = may("user.write");
  return html`
    <article class="number">
      <div class="row"><strong class="figure">${phone.phone}</strong>${states(phone)}
        ${replacesPrimary ? tag("takes the primary one's place") : ""}${isLocked ? tag("locked", "bad") : ""}</div>
      <ul class="plain">
        ${phone.isVerified ? html`<li>Verified ${moment(phone.verificationDate)}.</li>` : ""}
        ${code ? html`<li>${open(code, "A code is open")}</li>` : ""}
        ${removalCode ? html`<li>${open(removalCode, "A code that removes the number is open")}</li>` : ""}
        ${!code && !phone.isVerified ? html`<li>No code is open.</li>` : ""}
        ${wrongCodes > 0 ? html`<li>${many(wrongCodes, "wrong code")} since the last right one.</li>` : ""}
        ${guessAfter ? html`<li>No code is looked at for another ${seconds(protoSeconds(guessAfter))}.</li>` : ""}
        ${resendAfter ? html`<li>The next code can go out in ${seconds(protoSeconds(resendAfter))}.</li>` : ""}
        ${blocked ? html`<li class="quiet">${blocked}</li>` : ""}
      </ul>
      <div class="row">
        ${phone.isVerified ? "" : [offer("resend", "Resend"), offer("code", "Enter a code")]}
        ${!phone.isVerified && writes ? offer("verified", "Mark verified") : ""}
        ${phone.isVerified && !phone.isPrimary ? offer("primary", "Make primary") : ""}
        ${writes ? offer("remove", "Remove", "risky") : ""}
      </div>
    </article>`;
}

/**
 * @param {Code} code
 * @param {string} words
 */
function open({ expirationDate, guessesLeft = 0, sends = 0 }, words) {
  const left = guessesLeft === 0 ? "it is spent: no answer is right any more" : `${many(guessesLeft, "wrong answer")} left`;
  return html`${words}: sent in ${many(sends, "message")}, until ${moment(expirationDate)} (${moment(expirationDate, "away")}), ${left}.`;
}

/**
 * Calls a method about the user, and says what is then done.
 * @typedef {"AddUserPhone" | "ChangeUserPhone" | "PreverifyUserPhone" | "RemoveUserPhone" | "SetPrimaryUserPhone" | "UnlockUser"
 *   | "VerifyUserPhone"} Change
 * @typedef {(method: Change, message: { phone?: string, phoneId?: string, isVerified?: boolean, verificationCode?: string },
 *   said: string) => Promise<string>} Does
 */

/**
 * What a button does.
 * @param {string} name
 * @param {{ user: string, organization: string }} at
 * @param {Status} status
 * @param {PhoneStatus | undefined} held
 * @returns {Omit<import("./parts.js").Action, "done">}
 */
function action(name, at, status, held) {
  const { user } = at;
  const phone = held?.phone.phone ?? "";
  const phoneId = held?.phone.id ?? "";
  /** @type {Does} */
  const does = async (method, message, said) => {
    await call(`${PHONES}/${method}`, { userId: user, ...message }, at.organization);
    return said;
  };
  switch (name) {
    case "resend":
      return {
        title: `Resend the code of ${phone}`,
        says: html`<p>A code goes out to ${phone} as a text message. It counts towards the limits of the user and of the number.</p>
          ${held?.blocked ? html`<p class="note warn">${held.blocked}</p>` : ""}`,
        button: "Send the code",
        run: () => does(held?.replacesPrimary ? "ChangeUserPhone" : "PreverifyUserPhone", { phone }, `A code is on its way to ${phone}.`),
      };
    case "code":
      return {
        title: `Enter the code of ${phone}`,
        says: html`<p>The code that ${phone} was sent proves the number, as if the user had entered it. A wrong one counts.</p>`,
        fields: html`<label>Code<input name="code" required autocomplete="off" inputmode="numeric" maxlength="20"></label>`,
        button: "Submit",
        run: (data) => does("VerifyUserPhone", { phone, verificationCode: String(data.get("code")).trim() }, `${phone} is verified.`),
      };
    case "verified":
      return {
        title: `Mark ${phone} as verified`,
        says: html`<p>ringback takes your word that ${phone} belongs to ${user}. No code is sent, and open codes of the number end.</p>`,
        button: "Mark verified",
        run: () => does("AddUserPhone", { phone, isVerified: true }, `${phone} is verified.`),
      };
    case "primary":
      return {
        title: `Make ${phone} the primary number`,
        says: html`<p>${phone} becomes the number that stands for ${user}. The present one stays, as another number.</p>`,
        button: "Make primary",
        run: () => does("SetPrimaryUserPhone", { phoneId }, `${phone} is the primary number.`),
      };
    case "remove":
      return {
        title: `Remove ${phone}`,
        says: html`<p>${phone} is taken from ${user} at once, without a code. Its open codes end, and messages that still wait for it do not go out.</p>`,
        button: "Remove",
        risky: true,
        run: () => does("RemoveUserPhone", { phoneId }, `${phone} is removed.`),
      };
    case "unlock":
      return {
        title: `Unlock ${user}`,
        says: html`<p>Wrong codes and the pauses between messages are forgotten, for every number of ${user}. Be sure that it is the user who asks: wrong codes may have been somebody else's.</p>`,
        button: "Unlock",
        run: () => does("UnlockUser", {}, `${user} may guess again.`),
      };
    default:
      return set(status, does, user);
  }
}

/**
 * @param {Status} status
 * @param {Does} does
 * @param {string} user
 * @returns {Omit<import("./parts.js").Action, "done">}
 */
function set(status, does, user) {
  const primary = status.phones?.find((one) => one.phone.isPrimary)?.phone.phone;
  const choice = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string} */ words, checked = false) =>
    html`<label class="flat"><input type="radio" name="${name}" value="${value}" ${checked ? html`checked` : ""}> ${words}</label>`;
  return {
    title: `Set a number of ${user}`,
    says: html`<p>${user} gets a number. It is the user's own only once its code was entered, or you vouch for it.</p>`,
    fields: html`
      <label>Number<input name="phone" type="tel" required maxlength="200" autocomplete="off" placeholder="+41791234567"></label>
      ${primary
        ? html`<fieldset><legend>Where</legend>
            ${choice("where", "beside", `Beside ${primary}`, true)}
            ${choice("where", "instead", `In place of ${primary}: at once while that is not verified, else once the new one is`)}</fieldset>`
        : ""}
      <fieldset><legend>How it is proven</legend>
        ${choice("how", "code", "A code is sent to it", true)}
        ${may("user.write") ? choice("how", "vouched", "I vouch for it: verified at once, beside the others") : ""}</fieldset>`,
    button: "Set",
    run: (data) => {
      const phone = String(data.get("phone"));
      if (data.get("how") === "vouched") return does("AddUserPhone", { phone, isVerified: true }, `${phone} is verified.`);
      const method = data.get("where") === "instead" ? "ChangeUserPhone" : "AddUserPhone";
      return does(method, { phone }, `A code is on its way to ${phone}.`);
    },
  };
}

/**
 * All that is kept about the user, as a file.
 * @param {{ user: string, organization: string }} at
 * @returns {Omit<import("./parts.js").Action, "done">}
 */
function exporting({ user, organization }) {
  return {
    title: `Export ${user}`,
    says: html`<p>All that is kept about ${user} is saved as a file on this computer: numbers, codes that were asked for (never the codes), messages, and what is on record. Keep it as you keep what it is about.</p>`,
    button: "Save the file",
    run: async () => {
      /** @type {any} */
      const whole = await call(`${PHONES}/ExportUser`, { userId: user }, organization);
      const events = [...(whole.events ?? [])];
      for (let token = whole.nextPageToken; token; ) {
        const page = await call(`${PHONES}/ExportUser`, { userId: user, pageToken: token }, organization);
        events.push(...(page.events ?? []));
        token = page.nextPageToken;
      }
      delete whole.nextPageToken;
      const file = new Blob([JSON.stringify({ ...whole, events }, null, 2)], { type: "application/json" });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = "user.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      return `All about ${user} is in user.json.`;
    },
  };
}

/**
 * @param {{ user: string, organization: string }} at
 * @returns {Omit<import("./parts.js").Action, "done">}
 */
function erasing({ user, organization }) {
  return {
    title: `Erase ${user}`,
    says: html`<p>The account is deleted with every trace of ${user}: numbers, codes that were asked for, messages, and in what is on record who it was. Nobody can bring it back.</p>`,
    fields: html`<label>The user's id, to be sure<input name="id" required autocomplete="off" spellcheck="false"></label>`,
    button: "Erase",
    risky: true,
    run: async (data) => {
      if (data.get("id") !== user) throw new Failure("invalid_argument", `this is not the id ${user}`, null);
      await call(`${PHONES}/EraseUser`, { userId: user }, organization);
      return `${user} is erased.`;
    },
  };
}
