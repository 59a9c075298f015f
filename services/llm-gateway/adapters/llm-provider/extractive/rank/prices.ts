import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { matchTerm } from '../passage/search-text.ts';
import { showsPrice } from '../question/kinds.ts';
import type { Question, Term } from '../question/question.ts';
import type { Candidate } from './evidence.ts';

/** Words of a question about a price that name no other thing. */
const tradeWords = new Set(['卖', '买', 'sell', 'bui']);
/** How well a title matches the name of its thing: another word for it suffices. */
const minThing = 0.7;
const partConcepts = new Set(conceptsOf('配件 维修').map(({ concept }) => concept));

/** Returns the names of the thing whose price a question asks for; none if it asks for something else, or for a part of a thing. */
export function pricedThings({ wants, terms }: Question): Term[] {
  if (wants !== 'money') return [];
  const named = terms.filter(({ isFocus, weight, text }) => isFocus && weight >= 0.5 && !tradeWords.has(text));
  const codes = named.filter(({ isExact }) => isExact).length;
  return codes > 0 && codes < named.length ? [] : named;
}

/** Returns whether a unit has the price of a thing: its document is about the thing, and the unit names no part of it. */
export function isPriceOf(things: readonly Term[], { unit, text, source }: Candidate): boolean {
  return (
    things.every((thing) => matchTerm(thing, source.text.title) >= (thing.isExact ? 1 : minThing)) &&
    showsPrice(text.plain) &&
    ![...text.concepts].some((concept) => partConcepts.has(concept)) &&
    !(unit.kind === 'row' && /[a-z]{2,}-[a-z]*\d/i.test(unit.cells[0]?.value ?? ''))
  );
}
