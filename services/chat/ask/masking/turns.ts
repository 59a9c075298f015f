import type { RequestMasks } from '#kit/personal-data/request-masks.ts';

/** Returns a stored turn as the owner of its session said and saw it. */
export function restoreTurn<T extends { question: string; answer: string }>(turn: T, masks: RequestMasks): T {
  const restore = (text: string) => masks.restore(masks.shortenOwn(text));
  return { ...turn, question: restore(turn.question), answer: restore(turn.answer) };
}
