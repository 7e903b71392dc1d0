// @ts-check
// A field where people set their phone number and prove it by a code.

const CSS = `
.ringback-form { --rb-text: var(--ringback-text, light-dark(#1b1f24, #e6e9ed)); --rb-muted: var(--ringback-muted, light-dark(#57606a, #a3acb7)); --rb-line: var(--ringback-border, light-dark(#868e96, #78828e)); --rb-field: var(--ringback-background, light-dark(#fff, #14181d)); --rb-accent: var(--ringback-accent, light-dark(#1d5bd6, #8db4ff)); --rb-on: var(--ringback-on-accent, light-dark(#fff, #0a1a38)); --rb-error: var(--ringback-error, light-dark(#b42318, #ffaba1)); --rb-ok: var(--ringback-success, light-dark(#16713d, #7fdba4)); --rb-radius: var(--ringback-radius, .625rem); color: var(--rb-text); line-height: 1.45; margin: 0; }
ringback-verify { display: block; }
.ringback-form, .ringback-field { display: grid; gap: 1rem; position: relative; }
.ringback-field { gap: .375rem; }
.ringback-form p { margin: 0; }
.ringback-form [hidden] { display: none; }
.ringback-label { font-weight: 600; }
.ringback-input, .ringback-button { box-sizing: border-box; width: 100%; min-height: 3rem; padding: .5rem .875rem; border: 1px solid var(--rb-line); border-radius: var(--rb-radius); background: var(--rb-field); color: inherit; font: inherit; font-size: max(1rem, 16px); }
.ringback-code { font-size: 1.5rem; font-variant-numeric: tabular-nums; letter-spacing: .25em; }
.ringback-input[aria-invalid=true] { border-color: var(--rb-error); outline-color: var(--rb-error); }
.ringback-hint { color: var(--rb-muted); font-size: .875rem; }
.ringback-error { color: var(--rb-error); font-size: .9375rem; }
.ringback-button { border-color: transparent; background: var(--rb-accent); color: var(--rb-on); font-weight: 600; cursor: pointer; }
.ringback-button:hover { filter: brightness(1.1); }
.ringback-button[aria-disabled=true] { cursor: progress; }
.ringback-links { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: .25rem 1rem; }
.ringback-link { justify-self: start; min-height: 2rem; padding: .25rem 0; border: 0; background: none; color: var(--rb-accent); font: inherit; font-size: .9375rem; cursor: pointer; text-decoration: underline; }
.ringback-link[aria-disabled=true] { color: var(--rb-muted); text-decoration: none; cursor: default; font-variant-numeric: tabular-nums; }
:is(.ringback-input, .ringback-button, .ringback-link):focus-visible { outline: 2px solid var(--rb-accent); outline-offset: 2px; }
.ringback-done { display: flex; align-items: center; gap: .75rem; font-weight: 600; color: var(--rb-ok); outline: none; }
.ringback-done::before { content: ""; flex: none; width: 28px; height: 28px; background: var(--rb-ok); clip-path: path("M14 0a14 14 0 1 0 0 28a14 14 0 1 0 0-28M12 20.4L5.8 14.2L7.9 12.1L12 16.2L20.2 8L22.3 10.1Z"); }
.ringback-said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
`;

const PHONES = 'ringback.phone.v1.PhoneService/';
/** @type {CSSStyleSheet | undefined} */
let sheet;
let count = 0;

/**
 * The code in what somebody typed or pasted: alone, in groups, or in a whole message.
 * @param {string} text @param {number} length @param {boolean} numeric
 */
export function codeIn(text, length, numeric) {
  const one = numeric ? '\\p{Nd}' : '[A-Z2-9]';
  const plain = text.normalize('NFKC').toUpperCase().trim();
  const code = `(?<![\\p{L}\\p{Nd}])${one}(?:[\\s\\p{Pd}\\p{Cf}]{0,2}${one}){${length - 1}}(?![\\p{L}\\p{Nd}])`;
  for (const [found] of plain.matchAll(new RegExp(code, 'gu'))) {
    // Among words in capitals only a text with a digit can be a code.
    if (numeric || /\d/.test(found) || found === plain) return found.replace(/[^A-Z\p{Nd}]/gu, '');
  }
  return '';
}

/** `0:42` @param {number} seconds */
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(seconds < 3600 ? 14 : 11, 19).replace(/^0/, '');

/** @param {string} name @param {Record<string, any>} attributes @param {(Node | string)[]} inside */
const make = (name, attributes, ...inside) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== false) node.setAttribute(key, value);
  node.append(...inside);
  return /** @type {any} */ (node);
};

/** @param {string} text */
const link = (text) => make('button', { class: 'ringback-link', type: 'button' }, text);

export class RingbackVerify extends HTMLElement {
  static observedAttributes = ['lang'];
  /** What the server said last. @type {any} */
  state = {};
  #token = '';
  #user = '';
  #phone = '';
  /** @type {Record<string, string>} */
  #words = {};
  #lang = '';
  #wanted = '';
  #id = `ringback-${(count += 1)}-`;
  #challenge = '';
  #until = 0;
  #tried = '';
  #wrong = '';
  #step = '';
  #busy = false;
  #timer = 0;
  #begun = 0;
  /** @type {AbortController | undefined} */
  #otp;
  /** @type {Record<string, any>} */
  #parts = {};

  /** A session's token, or one of the user's own. It is held here and nowhere else. */
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token ?? '';
    if (this.isConnected) this.#begin();
  }

  /** The user's id; by default the token's subject. */
  get user() {
    if (this.#user) return this.#user;
    try {
      const part = this.#token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
      const bytes = Uint8Array.from(atob(part), (c) => c.charCodeAt(0));
      return String(JSON.parse(new TextDecoder().decode(bytes)).sub);
    } catch {
      return '';
    }
  }

  set user(user) {
    this.#user = user ?? '';
  }

  get phone() {
    return this.#step === 'NUMBER' ? this.#parts.input.value : this.#phone;
  }

  set phone(phone) {
    this.#phone = phone ?? '';
    if (this.#step === 'NUMBER') this.#parts.input.value = this.#phone;
  }

  connectedCallback() {
    const root = /** @type {Document} */ (this.getRootNode());
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(CSS);
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
    const self = /** @type {any} */ (this);
    // Properties that were set before this script had come.
    for (const name of ['user', 'phone', 'token'].filter((name) => Object.hasOwn(self, name))) {
      const value = self[name];
      delete self[name];
      self[name] = value;
    }
    this.#begin();
  }

  disconnectedCallback() {
    this.#stop();
  }

  async attributeChangedCallback() {
    if (!this.#step) return;
    await this.#speak();
    this.#show(this.#step);
  }

  get #base() {
    const base = this.getAttribute('endpoint') ?? new URL('.', import.meta.url).href;
    return base.replace(/\/*$/, '/');
  }

  get #key() {
    const all = [...document.querySelectorAll(this.localName)];
    return `ringback-verify:${this.getAttribute('name') ?? all.indexOf(this)}`;
  }

  async #begin() {
    const turn = (this.#begun += 1);
    this.#until = Number(sessionStorage.getItem(this.#key));
    const waits = this.#until > Date.now();
    let step = waits ? 'CODE' : 'NUMBER';
    let wrong;
    const [, looked] = await Promise.all([
      this.#speak(),
      this.#token && this.#look().then(() => true, (error) => void (wrong = error)),
    ]);
    if (turn !== this.#begun || !this.isConnected) return;
    if (looked) step = this.state.step.slice(18);
    else if (this.#token) step = 'NUMBER';
    this.#show(step);
    this.dispatchEvent(new Event('ready'));
    // A user whom nobody knows yet is nothing to speak of.
    if (/** @type {any} */ (wrong)?.status === 401) this.#fail(wrong);
  }

  async #look() {
    this.state = await this.#call('ringback.verification.v1.VerificationService/GetVerification', {});
    this.#challenge = this.state.challengeId;
    if (this.state.resendAfter) this.#wait(parseFloat(this.state.resendAfter));
  }

  async #speak() {
    const own = this.closest('[lang]')?.getAttribute('lang');
    const wanted = [own, ...navigator.languages].filter(Boolean).join().slice(0, 190);
    if (this.#wanted === wanted) return;
    try {
      const answer = await fetch(`${this.#base}ringback-verify/texts?lang=${encodeURIComponent(wanted)}`);
      const { words, dir, lang } = await answer.json();
      this.#words = words;
      this.#lang = lang;
      this.dir = dir;
      this.#wanted = wanted;
    } catch {
      // Their names are better than nothing.
    }
  }

  /** @param {string} name @param {Record<string, string | number>} [holes] */
  #say(name, holes = {}) {
    return (this.#words[name] ?? name).replace(/\{(\w+)\}/g, (_, hole) => String(holes[hole]));
  }

  /** @param {string} method @param {Record<string, string>} body */
  async #call(method, body) {
    const answer = await fetch(this.#base + method, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'accept-language': this.#lang || this.#wanted || '*',
        authorization: `Bearer ${this.#token}`,
      },
      body: JSON.stringify({ userId: this.user, ...body }),
      referrerPolicy: 'no-referrer',
    }).catch(() => {
      throw { reason: 'OFFLINE' };
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    const reason = said.details?.map((/** @type {any} */ one) => one.debug?.reason).find(Boolean) ?? '';
    throw { reason, status: answer.status, seconds: Number(answer.headers.get('retry-after')) };
  }

  /** @param {any} error */
  #fail({ reason = '', status = 0, seconds = 0 }) {
    const name =
      reason === 'OFFLINE' ? 'offline'
      : status === 401 || status === 404 ? 'ended'
      : seconds ? 'wait'
      : /^CODE/.test(reason) ? 'wrong'
      : reason === 'NUMBER_EMPTY' ? 'number_missing'
      : reason === 'NUMBER_OPTED_OUT' ? 'opted_out'
      : /^(NUMBER|PHONE|PERM|GUARD)/.test(reason) ? 'number_invalid'
      : 'failed';
    if (name === 'wrong') this.#wrong = this.#tried;
    const message = this.#say(name, { time: clock(seconds) });
    this.#problem(message);
    const detail = { reason: reason.toLowerCase() || name, message, retryAfter: seconds };
    this.dispatchEvent(new CustomEvent('error', { detail }));
  }

  /** @param {string} text */
  #problem(text) {
    const { error, input } = this.#parts;
    if (!error) return;
    error.textContent = text;
    error.hidden = !text;
    input.setAttribute('aria-invalid', !!text);
    if (text) input.focus();
  }

  /** @param {() => Promise<void>} work */
  async #run(work) {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem('');
    const busy = (/** @type {boolean} */ is) => this.#parts.button?.setAttribute('aria-disabled', is);
    busy(true);
    await work().catch((error) => this.#fail(error));
    this.#busy = false;
    busy(false);
  }

  #send() {
    this.#phone = this.phone;
    if (!this.#phone.trim()) return this.#problem(this.#say('number_missing'));
    this.#run(async () => this.#sent(await this.#call(`${PHONES}ChangeUserPhone`, { phone: this.#phone })));
  }

  #resend() {
    if (this.#until > Date.now()) return;
    this.#run(async () => this.#sent(await this.#call(`${PHONES}ResendUserPhoneChange`, {})));
  }

  /** @param {any} reply */
  async #sent(reply) {
    // A number that is proven already needs no code.
    if (!reply.challengeId) return this.#verified(reply);
    await this.#look().catch(() => {});
    this.#challenge = reply.challengeId;
    this.#wait(parseFloat(reply.resendAfter));
    this.#tried = this.#wrong = '';
    this.#show('CODE', true);
    this.#parts.said.textContent = this.#say('sent');
    this.dispatchEvent(new CustomEvent('sent', { bubbles: true, detail: { expiresAt: reply.codeExpiresAt } }));
  }

  /** @param {boolean} typed */
  #check(typed) {
    const { codeLength = 6, codeIsNumeric = !this.state.step } = this.state;
    const code = codeIn(this.#parts.input.value, codeLength, codeIsNumeric);
    // What is not whole yet, or was handed in, is not handed in by itself; what was wrong never again.
    if (typed && (!code || code === this.#tried)) return;
    if (!code) return this.#problem(this.#say('short', { n: codeLength }));
    if (code === this.#wrong) return this.#problem(this.#say('wrong'));
    this.#tried = code;
    this.#run(async () => {
      const body = { challengeId: this.#challenge, verificationCode: code };
      await this.#verified(await this.#call(`${PHONES}VerifyUserPhone`, body));
    });
  }

  /** @param {any} reply */
  async #verified({ phoneId }) {
    await this.#look().catch(() => {});
    sessionStorage.removeItem(this.#key);
    this.#show('VERIFIED', true);
    const detail = { userId: this.user, phoneId, returnUrl: this.state.returnUrl ?? '' };
    this.dispatchEvent(new CustomEvent('verified', { bubbles: true, detail }));
  }

  /** All that outlives the page. @param {number} seconds */
  #wait(seconds) {
    this.#until = Date.now() + (seconds || 0) * 1000;
    sessionStorage.setItem(this.#key, String(this.#until));
  }

  #tick() {
    const left = Math.max(0, Math.ceil((this.#until - Date.now()) / 1000));
    const { resend } = this.#parts;
    resend.setAttribute('aria-disabled', left > 0);
    resend.textContent = left ? this.#say('resend_in', { time: clock(left) }) : this.#say('resend');
  }

  #stop() {
    this.#otp?.abort();
    clearInterval(this.#timer);
  }

  /** @param {string} step @param {boolean} [moves] whether the focus goes there */
  #show(step, moves = false) {
    const stays = this.#step === step && this.#parts.input;
    const typed = stays?.value;
    const focused = stays && stays === document.activeElement;
    this.#stop();
    this.#step = step;
    this.#parts = {};
    if (step === 'VERIFIED') {
      const done = make('p', { class: 'ringback-done', tabindex: -1 }, this.#say('done'));
      const more = this.state.canChange ? [this.#change()] : [];
      this.replaceChildren(make('div', { class: 'ringback-form', lang: this.#lang }, done, ...more));
      if (moves) done.focus();
      return;
    }
    this.#parts = this.#form(step === 'CODE');
    const { form, input } = this.#parts;
    this.replaceChildren(form);
    if (typed) input.value = typed;
    if (moves || focused) input.focus();
    if (step !== 'CODE') return;
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), 500);
    this.#listen();
  }

  /** @param {boolean} code */
  #form(code) {
    const { codeIsNumeric = !this.state.step, phone = '', phoneHint } = this.state;
    const id = this.#id;
    const input = make('input', {
      id,
      class: `ringback-input${code ? ' ringback-code' : ''}`,
      name: code ? 'one-time-code' : 'tel',
      autocomplete: code ? 'one-time-code' : 'tel',
      type: code ? 'text' : 'tel',
      inputmode: code ? (codeIsNumeric ? 'numeric' : 'text') : 'tel',
      autocapitalize: code ? 'characters' : 'off',
      spellcheck: 'false',
      translate: 'no',
      dir: 'ltr',
      readonly: !code && !!phone && '',
      'aria-describedby': `${id}hint ${id}error`,
    });
    input.value = code ? '' : phone || this.#phone;
    const label = make('label', { class: 'ringback-label', for: id }, this.#say(code ? 'code' : 'number'));
    const hint = make('p', { class: 'ringback-hint', id: `${id}hint` });
    const [before, after] = this.#say('code_hint', { number: '\n' }).split('\n');
    if (!code) hint.append(this.#say('number_hint'));
    else if (phoneHint) hint.append(before, make('bdi', { dir: 'ltr', translate: 'no' }, phoneHint), after);
    const error = make('p', { class: 'ringback-error', id: `${id}error`, role: 'alert', hidden: '' });
    const said = make('p', { class: 'ringback-said', role: 'status' });
    const button = make('button', { class: 'ringback-button' }, this.#say(code ? 'verify' : 'send'));
    const field = make('div', { class: 'ringback-field' }, label, input, hint);
    const form = make('form', { class: 'ringback-form', lang: this.#lang, novalidate: '' }, field, error, button, said);
    form.onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      if (code) this.#check(false);
      else this.#send();
    };
    if (!code) return { form, input, error, said, button };
    input.oninput = () => this.#check(true);
    input.onpaste = (/** @type {ClipboardEvent} */ event) => {
      const found = codeIn(event.clipboardData?.getData('text') ?? '', this.state.codeLength ?? 6, codeIsNumeric);
      if (!found) return;
      event.preventDefault();
      input.value = found;
      this.#check(true);
    };
    const resend = link('');
    resend.onclick = () => this.#resend();
    form.append(make('div', { class: 'ringback-links' }, resend, phone ? '' : this.#change()));
    return { form, input, error, said, button, resend };
  }

  #change() {
    const change = link(this.#say('change'));
    change.onclick = () => this.#show('NUMBER', true);
    return change;
  }

  /** Takes the code out of the message itself, where the browser can. */
  async #listen() {
    if (!('OTPCredential' in window)) return;
    const { signal } = (this.#otp = new AbortController());
    const wish = /** @type {any} */ ({ otp: { transport: ['sms'] }, signal });
    const found = /** @type {any} */ (await navigator.credentials.get(wish).catch(() => null));
    if (!found?.code || signal.aborted) return;
    this.#parts.input.value = found.code;
    this.#check(true);
  }
}

if (!customElements.get('ringback-verify')) customElements.define('ringback-verify', RingbackVerify);
