import { matchTerm } from '../passage/search-text.ts';
import { type Candidate, documentOf, type Evidence, type Source } from '../rank/evidence.ts';
import type { Quotation } from './quotation.ts';

/** Longest list of a section that an outline shows. */
const maxItems = 5;
/** Longest outline, in sections. */
const maxSections = 8;
/** How well a title must match each word of the topic. */
const minMatch = 0.7;

/**
 * Returns the outline of the document whose title is the topic of the question: what is below each of its headings, as far as the
 * evidence has them. Nothing if no title is the topic.
 */
export function outlineOf({ question, sources }: Evidence): Quotation[] {
  const topic = question.terms.filter(({ isFocus, weight }) => isFocus && weight >= 0.5);
  if (topic.length === 0) return [];
  const titled = sources.find(
    ({ text, isForeign }) => !isForeign && topic.every((term) => matchTerm(term, text.title) >= minMatch),
  );
  if (titled === undefined) return [];
  const id = documentOf(titled.passage);
  const parts = sources
    .filter(({ passage }) => documentOf(passage) === id)
    .toSorted((a, b) => a.passage.ordinal - b.passage.ordinal);
  return parts.flatMap(firstStatements).slice(0, maxSections);
}

/** Returns what is below each heading: its first list or table if that is short, otherwise its first statement. */
function firstStatements({ passage, candidates }: Source): Quotation[] {
  const sections = Map.groupBy(
    candidates,
    ({ unit }: Candidate) => unit.heading || (passage.headingPath.at(-1) ?? passage.title),
  );
  return [...sections].map(([heading, section]): Quotation => {
    const [first] = section as [Candidate];
    const item = section.find(({ unit }) => unit.kind === 'row' || unit.kind === 'step');
    const items = section.filter(
      ({ unit }) => item !== undefined && unit.block === item.unit.block && unit.kind === item.unit.kind,
    );
    return { heading, candidates: items.length > 0 && items.length <= maxItems ? items : [first] };
  });
}
