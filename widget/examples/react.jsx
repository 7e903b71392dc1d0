// React 19: what is no attribute is set as a property, and `on…` hears the event of that name.
import { useEffect, useState } from 'react';
import 'ringback-verify';

/** @param {{ onVerified: (phoneId: string) => void }} props */
export function PhoneNumber({ onVerified }) {
  const [token, setToken] = useState('');
  useEffect(() => {
    // Your back end answers the token of CreateVerificationSession.
    fetch('/phone-token', { method: 'POST' }).then(async (answer) => setToken(await answer.text()));
  }, []);
  if (!token) return null;
  return (
    <ringback-verify
      endpoint="https://phones.example.com"
      token={token}
      onverified={(event) => onVerified(event.detail.phoneId)}
    />
  );
}
