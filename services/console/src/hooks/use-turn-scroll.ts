import { type RefObject, useEffect } from 'react';
import { isSettled } from '../state/ask.ts';
import type { Conversation } from '../state/conversation.ts';

/** Scrolls to the last question: when it is asked, and when an earlier conversation is opened. */
export function useTurnScroll(scroller: RefObject<HTMLElement | null>, conversation: Conversation): void {
  const last = conversation.answers.at(-1);
  // A new question goes to the top, and its answer grows below it without moving.
  useEffect(() => {
    if (last === undefined || isSettled(last)) return;
    const turn = scroller.current?.querySelector(`[data-key="${CSS.escape(last.key)}"]`);
    const isReduced = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    turn?.scrollIntoView({ block: 'start', behavior: isReduced ? 'instant' : 'smooth' });
  }, [last?.key]);

  useEffect(() => {
    if (conversation.opening) return;
    scroller.current?.querySelector('.turn:last-child')?.scrollIntoView({ block: 'start', behavior: 'instant' });
  }, [conversation.opening]);
}
