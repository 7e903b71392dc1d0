// The element in JSX: `import 'ringback-verify/react'`, for its types alone. React 19 sets properties and hears events.
import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type { ErrorDetail, RingbackVerify, SentDetail, VerifiedDetail } from './ringback-verify.js';

type Props = Omit<DetailedHTMLProps<HTMLAttributes<RingbackVerify>, RingbackVerify>, 'onerror'> & {
  endpoint?: string;
  name?: string;
  token?: string;
  user?: string;
  phone?: string;
  onsent?: (event: CustomEvent<SentDetail>) => void;
  onverified?: (event: CustomEvent<VerifiedDetail>) => void;
  onerror?: (event: CustomEvent<ErrorDetail>) => void;
};

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'ringback-verify': Props;
    }
  }
}
