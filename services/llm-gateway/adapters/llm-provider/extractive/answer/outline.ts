import { negates } from '../passage/negating.ts';
import { matchTerm, toSearchText } from '../passage/search-text.ts';
import { type AnswerKind, showsKind } from '../question/kinds.ts';
import { extraWordsOf, headingOf, isSpecial } from '../rank/brief.ts';
import { type Candidate, documentOf, type Evidence, maxParagraphLength, type Source } from '../rank/evidence.ts';
import type { Quotation } from './quotation.ts';

/** So much of the list or table of a section an outline shows, in items. */
const maxItems = 5;
/** Longest outline, in sections. */
const maxSections = 8;
/** How well a title must match each word of the topic. */
const minMatch = 0.7;
/** Kinds of answers of which a page has those to its subject. A number may be anything. */
const ofPages: ReadonlySet<AnswerKind> = new Set(['time', 'money', 'steps']);
/** Asks for one thing of many: "Which film is on today?" */
const asksForOne =
  /(?<!是)什么|哪|谁|(?<![a-z])(?:what(?!(?:'s| is| are) (?:an?|my|the|your) )|which|who|whose)(?![a-z])/;
/** Largest number of words that name what a question is about, if whole sections may answer it. */
const maxTopicTerms = 2;
/** Longest answer to such a question that needs a kind of answer, in sections. */
const maxKindSections = 3;

/**
 * Returns the outline of the document whose title is the topic of the question: what is below each of its headings, as far as the
 * evidence has them. Nothing if no title is the topic.
 */
export function outlineOf(evidence: Evidence): Quotation[] {
  return sectionsOfPage(evidence).slice(0, maxSections);
}

/**
 * Returns the sections whose heading says as much as a short question does, with the kind of answer that it needs: "When the money arrives" for
 * "How long does a refund take?". Nothing if the question is about more than a heading says.
 */
export function sectionsFor(evidence: Evidence): Quotation[] {
  const { question, sources } = evidence;
  const asksDenied = negates(question.plain);
  const canHead = question.wants === undefined ? asksDenied : ofPages.has(question.wants);
  if (!hasFewWords(evidence) || !canHead) return [];
  const topic = topicOf(evidence);
  const extraWords = extraWordsOf(evidence);
  return sources
    .filter(({ isForeign }) => !isForeign)
    .flatMap((source) =>
      firstStatements(source).filter(({ heading, candidates: [first] }) => {
        if (heading === source.passage.title || isSpecial(question, heading)) return false;
        // Steps for more than was asked are those of another matter: of coupons, when goods are returned.
        const extra = first === undefined ? 0 : (extraWords.get(headingOf(first)) ?? 0);
        if (question.wants === 'steps' && extra > 0) return false;
        const text = toSearchText(heading);
        if (question.wants === undefined && !negates(heading)) return false;
        return topic.every((term) => matchTerm(term, text) >= minMatch);
      }),
    )
    .filter((section) => showsWanted(evidence, section))
    .filter((section, _, [first]) => question.wants !== 'steps' || isOfSameDocument(section, first as Quotation))
    .slice(0, maxKindSections)
    .map(withParagraph);
}

/**
 * Returns what a page says about a short question that its title says as well: its sections with the kind of answer that the question needs, or
 * its outline if the question names no kind.
 */
export function pageFor(evidence: Evidence): Quotation[] {
  const { wants, plain } = evidence.question;
  if (!hasFewWords(evidence)) return [];
  if (wants === undefined) return asksForOne.test(plain) ? [] : outlineOf(evidence);
  if (!ofPages.has(wants)) return [];
  return sectionsOfPage(evidence)
    .filter((section) => showsWanted(evidence, section))
    .slice(0, maxKindSections)
    .map(withParagraph);
}

/** Steps of two documents are not one way to do a thing. */
const isOfSameDocument = ({ candidates: [a] }: Quotation, { candidates: [b] }: Quotation): boolean =>
  a !== undefined && b !== undefined && documentOf(a.source.passage) === documentOf(b.source.passage);

/** Returns the words that name what a question is about. */
export const topicOf = ({ question }: Evidence) =>
  question.terms.filter(({ isFocus, weight }) => isFocus && weight >= 0.5);

function hasFewWords(evidence: Evidence): boolean {
  const topic = topicOf(evidence);
  const isNamed = topic.some(({ isExact, isName }) => isExact || isName);
  return topic.length > 0 && topic.length <= maxTopicTerms && !isNamed;
}

export function showsWanted({ question: { wants, shape } }: Evidence, { candidates }: Quotation): boolean {
  if (wants === undefined) return true;
  const hasShape = (plain: string) => wants !== 'time' || shape === undefined || shape.shown.test(plain);
  return candidates.some(({ unit, text }) =>
    wants === 'steps' ? unit.number !== undefined : showsKind(wants, text.plain) && hasShape(text.plain),
  );
}

/** Returns a section that begins with a short paragraph with all of it. */
function withParagraph(section: Quotation): Quotation {
  const [first, ...others] = section.candidates;
  if (first === undefined || others.length > 0 || first.unit.kind !== 'sentence') return section;
  const { source, unit } = first;
  if ((source.text.lengths[unit.block] ?? 0) > maxParagraphLength) return section;
  const isSame = (other: Candidate) =>
    other.unit.block === unit.block && other.unit.heading === unit.heading && other.unit.kind === 'sentence';
  return { ...section, candidates: source.candidates.filter(isSame) };
}

function sectionsOfPage(evidence: Evidence): Quotation[] {
  const { sources } = evidence;
  const topic = topicOf(evidence);
  if (topic.length === 0) return [];
  const titled = sources.find(
    ({ text, isForeign }) => !isForeign && topic.every((term) => matchTerm(term, text.title) >= minMatch),
  );
  if (titled === undefined) return [];
  const id = documentOf(titled.passage);
  const parts = sources
    .filter(({ passage }) => documentOf(passage) === id)
    .toSorted((a, b) => a.passage.ordinal - b.passage.ordinal);
  return parts.flatMap(firstStatements);
}

/** Returns what is below each heading: the beginning of its first list or table with the line above it, or its first statement. */
export function firstStatements({ passage, candidates }: Source): Quotation[] {
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
    if (items.length === 0) return { heading, candidates: [first] };
    const lead =
      item?.unit.leadIndex === undefined
        ? []
        : section.filter(({ index }) => index <= (item.unit.leadIndex as number)).slice(-2);
    return { heading, candidates: [...lead, ...items.slice(0, maxItems)] };
  });
}
