import { type RefObject, useEffect, useState } from 'react';
import type { Conversation } from '../state/conversation.ts';

/** Keeps the open session in the address, so that a reload opens it again. Without one, the question field gets the focus. */
export function useSessionAddress(
  { sessionId, opening, failure }: Conversation,
  open: (sessionId: string) => void,
  field: RefObject<HTMLElement | null>,
): void {
  const [firstSessionId] = useState(sessionInAddress);
  useEffect(() => {
    if (firstSessionId !== '') open(firstSessionId);
    else field.current?.focus();
  }, [open, firstSessionId, field]);
  useEffect(() => {
    if (opening || failure !== undefined) return;
    setSessionInAddress(sessionId);
  }, [sessionId, opening, failure]);
}

/** Writes a session into the address; an empty id removes it. */
export function setSessionInAddress(sessionId: string): void {
  if (sessionId === sessionInAddress() || window.location.hash.startsWith('#/')) return;
  const { pathname, search } = window.location;
  const hash = sessionId === '' ? '' : `#session=${encodeURIComponent(sessionId)}`;
  window.history.replaceState(null, '', `${pathname}${search}${hash}`);
}

function sessionInAddress(): string {
  return new URLSearchParams(window.location.hash.slice(1)).get('session') ?? '';
}
