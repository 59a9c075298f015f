import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type FactSet, toFactSet } from '#kit/text/facts/fact-set.ts';
import { hasNegative } from '#kit/text/facts/negation.ts';
import type { Amount } from '#kit/text/facts/units-compare.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { visibleText } from '#kit/text/visible/visible-text.ts';
import { amountsOf } from './computed.ts';
import type { StatedPassage } from './denials.ts';

/** A passage as claims are compared with it; each part is read when it is first needed. */
export interface ReadPassage extends StatedPassage {
  facts(): FactSet;
  /** Its first amounts, to compute with. */
  amounts(): readonly Amount[];
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
    amounts: lazy(() => amountsOf(raw())),
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

/** Returns whether a passage has a claim in normal form word for word, or as an item below the line that introduces its list. */
export function quotes(passage: Passage, claim: string): boolean {
  const text = readPassage(passage).text();
  const wanted = claim.replace(/[。.!！?？]+$/, '');
  if (placeOf(wanted, text) >= 0) return true;
  const [, lead = '', item = ''] = /^(.{4,200}?[:：])\s*([^:：]{4,})$/s.exec(wanted) ?? [];
  const leadAt = lead === '' ? -1 : placeOf(lead, text);
  const itemAt = leadAt < 0 ? -1 : placeOf(item, text, leadAt + lead.length);
  // Below another heading or line that introduces a list, an item may be of the opposite one.
  return itemAt >= 0 && !/[#:：]/.test(text.slice(leadAt + lead.length, itemAt));
}

/** Returns the place of a wording in a text from `from` on, -1 if it is not there: "5 days" does not quote "15 days". */
function placeOf(wording: string, text: string, from = 0): number {
  const at = wording.length < 4 ? -1 : text.indexOf(wording, from);
  return at >= 0 && !isWordBorderCrossed(text, at) && !isWordBorderCrossed(text, at + wording.length) ? at : -1;
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
