/** A code is on its way. */
export interface SentDetail {
  /** When the code ends: RFC 3339. */
  expiresAt: string;
}

/** The number is proven. */
export interface VerifiedDetail {
  userId: string;
  /** The id of the number at ringback. */
  phoneId: string;
  /** Where the session returns to, with its result; empty for nowhere. */
  returnUrl: string;
}

/** Something was refused. */
export interface ErrorDetail {
  /** For programs, such as `code_refused`, `limited`, `number_invalid` or `offline`. */
  reason: string;
  /** As it is shown. */
  message: string;
  /** Seconds to wait; 0 for none. */
  retryAfter: number;
}

/** `GetVerificationResponse` of `ringback.verification.v1`, as far as it was told. */
export interface VerificationState {
  step?: 'VERIFICATION_STEP_NUMBER' | 'VERIFICATION_STEP_CODE' | 'VERIFICATION_STEP_VERIFIED';
  phoneHint?: string;
  challengeId?: string;
  codeExpiresAt?: string;
  resendAfter?: string;
  codeLength?: number;
  codeIsNumeric?: boolean;
  phone?: string;
  returnUrl?: string;
  language?: string;
  /** Whether another number can be set. */
  canChange?: boolean;
}

export interface RingbackVerifyEventMap {
  sent: CustomEvent<SentDetail>;
  verified: CustomEvent<VerifiedDetail>;
  error: CustomEvent<ErrorDetail>;
  /** It shows where the proof stands. */
  ready: Event;
}

/** `<ringback-verify>`. Attributes: `endpoint`, `lang`, `name`. */
export class RingbackVerify extends HTMLElement {
  /** A session's token, or one of the user's own. */
  token: string;
  /** The user's id; by default the token's subject. */
  user: string;
  /** The number, as it is typed. */
  phone: string;
  /** What the server said last of the verification. */
  state: VerificationState;
  addEventListener<K extends keyof RingbackVerifyEventMap>(
    type: K,
    listener: (this: RingbackVerify, event: RingbackVerifyEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** The code in what somebody typed or pasted; empty when there is none. */
export function codeIn(text: string, length: number, numeric: boolean): string;

declare global {
  interface HTMLElementTagNameMap {
    'ringback-verify': RingbackVerify;
  }
}
