import { ClaimFault } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, type Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type Fact, type FactSet, holdsFact, readClaimFacts, toFactSet } from '#kit/text/facts/fact-set.ts';
import { hasNegative } from '#kit/text/facts/negation.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { contradicts, type StatedPassage } from './denials.ts';

/** An answer to check. */
export interface Claims {
  text: string;
  /** The passages that the model had; marker [n] names the n-th, from 1. */
  passages: readonly Passage[];
  /** The question as it was asked, and the standalone question: the answer may repeat their facts. */
  questions: readonly string[];
  /** The requested language; UNSPECIFIED: any. */
  language: Language;
}

/** A sentence that its passages do not support: a half-open range of UTF-16 code units. */
export interface Unsupported {
  start: number;
  end: number;
  fault: ClaimFault;
  markers: number[];
}

/** The result of a check. */
export interface Checked {
  /** At most {@link maxUnsupported}. */
  unsupported: Unsupported[];
  /** Whether the whole answer was read. */
  isWhole: boolean;
}

/** Longest answer that is checked, in UTF-16 code units; the rest is not read, and the answer does not pass. */
const maxCheckedLength = 32_768;
const maxSentences = 200;
/** The contract's limit. */
const maxUnsupported = 64;

const marker = /\[(\d{1,3})\]/g;
const leadingMarkers = /^(?:\s?\[\d{1,3}\])+[。.，,;；]?/;
/** The number of a list item or a step, which states nothing: `1.`, `2)`, `3、`, `（四）`, `Step 2:`, 第2步. */
const itemNumber =
  /^\s*(?:[-*+•·]\s+|#{1,6}\s+|>\s?)*(?:\*\*)?(?:\(?\d{1,2}[.)、](?!\d)|[（(]\d{1,2}[)）]|step \d{1,2}\b|步骤\s?\d{1,2}|第\s?\d{1,2}\s?步)/i;
const codeOnly = /^[^\p{L}]*(?:[\p{L}\d]*\d[\p{L}\d-]*[^\p{L}]*)*$/u;

interface Sentence {
  start: number;
  end: number;
  markers: number[];
}

/**
 * Compares every sentence of an answer with the passages that it cites: numbers with their units, amounts, dates, times, codes and
 * addresses must be in them (or in the question); a sentence must not deny what they state; and the answer must be in the requested language.
 * A sentence that cites nothing must have all of its facts in one passage.
 */
export function checkClaims({ text, passages, questions, language }: Claims): Checked {
  const read = text.slice(0, maxCheckedLength);
  const sentences = citedSentences(read, passages.length);
  const unsupported: Unsupported[] = [];
  const question = lazy(() => toFactSet(questions.join('\n')));
  for (const { start, end, markers } of sentences.slice(0, maxSentences)) {
    if (unsupported.length >= maxUnsupported) break;
    const claim = read.slice(start, end).replace(itemNumber, ' ').replace(marker, ' ').trim();
    const fault = faultOf(claim, markers, passages, question, questions);
    if (fault !== undefined) unsupported.push({ start, end, fault, markers });
  }
  if (unsupported.length === 0 && isOtherLanguage(read, language, questions)) {
    unsupported.push({ start: 0, end: read.length, fault: ClaimFault.LANGUAGE, markers: [] });
  }
  return { unsupported, isWhole: text.length <= maxCheckedLength && sentences.length <= maxSentences };
}

function faultOf(
  claim: string,
  markers: readonly number[],
  passages: readonly Passage[],
  question: () => FactSet,
  questions: readonly string[],
): ClaimFault | undefined {
  const cited = markers.map((number) => passages[number - 1] as Passage);
  const normal = normalizeText(claim, foldTraditional);
  // A quotation: nothing in it can differ.
  if (cited.some((passage) => quotes(passage, normal))) return undefined;
  const facts = readClaimFacts(claim).filter((fact) => !holdsFact(question(), fact));
  if (facts.length > 0) {
    const sets = (cited.length > 0 ? cited : passages).map((passage) => () => readPassage(passage).facts());
    const isHeld = cited.length > 0 ? isHeldByAll(facts, sets) : sets.some((set) => isHeldByAll(facts, [set]));
    if (!isHeld) return ClaimFault.FACT;
  }
  const standalone = normalizeText(questions.at(-1) ?? '', foldTraditional);
  return cited.length > 0 && contradicts(normal, cited.map(readPassage), standalone) ? ClaimFault.NEGATION : undefined;
}

/** Returns whether each fact is in one of the sets. */
function isHeldByAll(facts: readonly Fact[], sets: readonly (() => FactSet)[]): boolean {
  return facts.every((fact) => sets.some((set) => holdsFact(set(), fact)));
}

/** Returns the sentences with the markers that follow them; a marker after the full stop belongs to the sentence before it. */
function citedSentences(text: string, sourceCount: number): Sentence[] {
  const sentences: Sentence[] = [];
  for (let { start, end } of splitSentences(text)) {
    const leading = leadingMarkers.exec(text.slice(start, end))?.[0] ?? '';
    const before = sentences.at(-1);
    if (leading !== '' && before !== undefined && !text.slice(before.end, start).includes('\n')) {
      before.markers.push(...markersOf(leading, sourceCount));
      before.end = start + leading.length;
      start += leading.length;
      if (text.slice(start, end).trim() === '') continue;
      while (/\s/.test(text.charAt(start))) start++;
    }
    sentences.push({ start, end, markers: markersOf(text.slice(start, end), sourceCount) });
  }
  return sentences;
}

function markersOf(text: string, sourceCount: number): number[] {
  const numbers = [...text.matchAll(marker)].map(([, number]) => Number(number));
  return [...new Set(numbers)].filter((number) => number >= 1 && number <= sourceCount);
}

function isOtherLanguage(text: string, language: Language, questions: readonly string[]): boolean {
  if (language !== Language.ZH && language !== Language.EN) return false;
  const written = text.replace(marker, ' ').trim();
  // A code or a name has no language, neither as a question nor as an answer.
  if (codeOnly.test(written) || questions.every((question) => codeOnly.test(question))) return false;
  const detected = detectLanguage(written);
  if (language === Language.ZH) return detected === 'en' && !/\p{sc=Han}/u.test(written) && wordCount(written) >= 5;
  return detected === 'zh';
}

const wordCount = (text: string) => text.match(/\p{sc=Latin}{2,}/gu)?.length ?? 0;

interface ReadPassage extends StatedPassage {
  facts(): FactSet;
}

// Passages of many answers are the same objects.
const readPassages = new WeakMap<Passage, ReadPassage>();

function readPassage(passage: Passage): ReadPassage {
  const known = readPassages.get(passage);
  if (known !== undefined) return known;
  const raw = lazy(() =>
    [
      ...[passage.title, ...passage.headingPath].map((line) => `# ${line}`),
      ...[passage.text, passage.url, updatedOn(passage)],
    ].join('\n'),
  );
  const read = {
    text: lazy(() => normalizeText(raw(), foldTraditional)),
    // Sentences end before a capital, so they are found first.
    sentences: lazy(() =>
      splitSentences(raw()).map(({ start, end }) => {
        const text = normalizeText(raw().slice(start, end), foldTraditional);
        return { text, isDenied: lazy(() => hasNegative(text)), language: lazy(() => detectLanguage(text)) };
      }),
    ),
    facts: lazy(() => toFactSet(raw())),
  };
  readPassages.set(passage, read);
  return read;
}

/** Returns the date of a passage's document, which an answer may state; empty if it has none. */
const updatedOn = ({ updatedAt }: Passage): string =>
  updatedAt === undefined ? '' : new Date(Number(updatedAt.seconds) * 1000).toISOString().slice(0, 10);

/** Returns whether a passage has a claim word for word. */
function quotes(passage: Passage, claim: string): boolean {
  const text = readPassage(passage).text();
  const wanted = claim.replace(/[。.!！?？]+$/, '');
  const at = wanted.length < 4 ? -1 : text.indexOf(wanted);
  // "5 days" does not quote "15 days".
  return at >= 0 && !isWordBorderCrossed(text, at) && !isWordBorderCrossed(text, at + wanted.length);
}

function isWordBorderCrossed(text: string, at: number): boolean {
  return /[a-z\d.,-][a-z\d]/.test(text.slice(at - 1, at + 1)) || /\d[.,]$/.test(text.slice(Math.max(0, at - 2), at));
}

function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
