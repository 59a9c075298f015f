import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type FactSet, toFactSet } from '#kit/text/facts/fact-set.ts';
import { hasNegative } from '#kit/text/facts/negation.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { visibleText } from '#kit/text/visible/visible-text.ts';
import type { StatedPassage } from './denials.ts';

/** A passage as claims are compared with it; each part is read when it is first needed. */
export interface ReadPassage extends StatedPassage {
  facts(): FactSet;
  /** Normal form of the text that its reader does not see or that instructs an assistant, which is no evidence; mostly empty. */
  hidden(): string;
}

// Passages of many answers are the same objects.
const readPassages = new WeakMap<Passage, ReadPassage>();

/** Returns a passage as claims are compared with it: title, headings, visible text, address and date, in normal form. */
export function readPassage(passage: Passage): ReadPassage {
  const known = readPassages.get(passage);
  if (known !== undefined) return known;
  const visible = lazy(() => visibleText(passage.text));
  const raw = lazy(() =>
    [
      ...[passage.title, ...passage.headingPath].map((line) => `# ${line}`),
      ...[visible(), passage.url, updatedOn(passage)],
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
    hidden: lazy(() => (visible() === passage.text ? '' : withoutLines(passage.text, visible()))),
  };
  readPassages.set(passage, read);
  return read;
}

/** Returns the date of a passage's document, which an answer may state; empty if it has none. */
const updatedOn = ({ updatedAt }: Passage): string =>
  updatedAt === undefined ? '' : new Date(Number(updatedAt.seconds) * 1000).toISOString().slice(0, 10);

/** Returns the lines of a text that another one lacks, in normal form. */
function withoutLines(text: string, kept: string): string {
  const lines = new Set(kept.split('\n').map((line) => line.trim()));
  const removed = text.split('\n').filter((line) => !lines.has(line.trim()));
  return normalizeText(removed.join('\n'), foldTraditional);
}

/** Returns whether a passage has a claim in normal form word for word. */
export function quotes(passage: Passage, claim: string): boolean {
  const text = readPassage(passage).text();
  const wanted = claim.replace(/[。.!！?？]+$/, '');
  const at = wanted.length < 4 ? -1 : text.indexOf(wanted);
  // "5 days" does not quote "15 days".
  return at >= 0 && !isWordBorderCrossed(text, at) && !isWordBorderCrossed(text, at + wanted.length);
}

function isWordBorderCrossed(text: string, at: number): boolean {
  return /[a-z\d.,-][a-z\d]/.test(text.slice(at - 1, at + 1)) || /\d[.,]$/.test(text.slice(Math.max(0, at - 2), at));
}

/** Returns a function that makes its value when it is first called. */
export function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
