import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { periodNamed } from '../passage/dates.ts';
import { matchTerm } from '../passage/search-text.ts';
import { kindAsked, showsKind, showsPrice } from '../question/kinds.ts';
import type { Question, Term } from '../question/question.ts';
import type { Candidate } from './evidence.ts';

/** Words of a question about a price that name no other thing. */
const tradeWords = new Set(['卖', '买', 'sell', 'bui']);
/** How well a title matches the name of its thing: another word for it suffices. */
export const minThing = 0.7;
const partConcepts = new Set(conceptsOf('配件 维修').map(({ concept }) => concept));

/** Returns the names of the thing whose price a question asks for; none if it asks for something else, or for a part of a thing. */
export function pricedThings({ wants, terms }: Question): Term[] {
  if (wants !== 'money') return [];
  const named = terms.filter(
    ({ isFocus, weight, text }) => isFocus && weight >= 0.5 && !tradeWords.has(text) && periodNamed(text) === undefined,
  );
  const codes = named.filter(({ isExact }) => isExact).length;
  return codes > 0 && codes < named.length ? [] : named;
}

/** Returns whether a unit has the price of a thing: its document is about the thing, and the unit names no part of it. */
export function isPriceOf(things: readonly Term[], { unit, text, source }: Candidate): boolean {
  return (
    things.every((thing) => matchTerm(thing, source.text.title) >= (thing.isExact ? 1 : minThing)) &&
    (things.every(isFee) ? showsKind('money', text.plain) : showsPrice(text.plain)) &&
    ![...text.concepts].some((concept) => partConcepts.has(concept)) &&
    !(unit.kind === 'row' && /[a-z]{2,}-[a-z]*\d/i.test(unit.cells[0]?.value ?? ''))
  );
}

/** A fee may be a share of the amount, the price of a thing is not. */
const isFee = ({ text }: Term): boolean => kindAsked(text) === 'money';

const priceOnly =
  /^(?:how much (?:does|do)|what (?:does|do)) [a-z -]{3,40} cost[?.]?$|^(?:how much (?:is|are)|what(?:'s| is) the price of|price of) [a-z -]{3,40}[?.]?$|^\p{sc=Han}{2,10}(?:卖?多少钱(?:[1一][台个件张条把只盏套份瓶双])?|什么价格?|的?价格(?:是多少)?|的?售价(?:是多少)?)[?？。]?$/u;

/** Returns whether a question names a thing and asks for its price, and says no more: "How much does the power station cost?" */
export function asksPriceOnly({ plain }: Question): boolean {
  return priceOnly.test(plain);
}
