// @ts-check
// The hosted page: takes the session out of the address, and goes back when it is done.
import '../ringback-verify.js';

const verify = /** @type {import('../ringback-verify.js').RingbackVerify} */ (document.querySelector('ringback-verify'));
const back = /** @type {HTMLAnchorElement} */ (document.querySelector('#back'));
const go = /** @type {HTMLAnchorElement} */ (document.querySelector('#continue'));
const ended = /** @type {HTMLElement} */ (document.querySelector('#ended'));
const token = location.hash.slice(1);
const here = new URL(location.href);
const handle = here.searchParams.get('h');

// The handle is for browsers without scripts. Whoever reads it in a log shall find it used.
if (handle) {
  here.searchParams.delete('h');
  history.replaceState(null, '', here);
  const body = new URLSearchParams({ handle });
  fetch('verify/taken', { method: 'POST', body, keepalive: true }).catch(() => {});
}

/** Leads back to where the user came from: with a result, or without one. */
const lead = () => {
  const { step, returnUrl } = verify.state;
  if (!returnUrl) return;
  const done = step === 'VERIFICATION_STEP_VERIFIED';
  const [shown, other] = done ? [go, back] : [back, go];
  shown.href = returnUrl;
  shown.hidden = false;
  other.hidden = true;
};

verify.addEventListener('verified', () => {
  lead();
  // Long enough to be read, and to be heard.
  if (go.href) setTimeout(() => location.replace(go.href), 1500);
});

verify.addEventListener('ready', () => {
  lead();
  verify.querySelector('input')?.focus();
});

const end = () => {
  verify.hidden = true;
  ended.hidden = false;
};

verify.addEventListener('error', ({ detail }) => {
  if (/^(token|account)_/.test(detail.reason)) end();
});

if (token) verify.token = token;
else end();
