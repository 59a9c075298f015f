import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { type QueryWord, type QueryWordOptions, weighWords } from '#kit/text/query/query-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** A tenant's terms, as they were set. */
export interface TermRecord {
  /** Words that mean the same. */
  groups: readonly (readonly string[])[];
  /** Names that are one word. */
  protectedTerms: readonly string[];
}

/** A tenant's terms, ready to be found in questions. */
export interface Terms {
  readonly record: TermRecord;
  /** What the terms make of a question. */
  apply(question: string): AppliedTerms;
}

/** Terms that a question holds, and what follows from them. */
export interface AppliedTerms {
  /** Other words for the question's, not among them already. */
  added: readonly string[];
  /** Protected terms in the question. */
  protectedTerms: readonly string[];
}

/** No terms at all. */
export const noTerms: TermRecord = { groups: [], protectedTerms: [] };

/** Other words that a question gets, so that a long one does not drown in them. */
const maxAdded = 24;

/** Weight of a word that was added, beside 1 of one that was asked. */
const addedWeight = 0.5;

/** Characters of a question in which terms are looked for. */
const readLength = 4096;

interface Entry {
  tokens: readonly string[];
  term: string;
  /** Number of its group; `undefined`: it is protected. */
  group: number | undefined;
}

/** Makes terms ready. They are found by their tokens, so also in other forms: "Refunds" is "refund", 退貨 is 退货. */
export function createTerms(record: TermRecord): Terms {
  const byFirst = new Map<string, Entry[]>();
  const add = (term: string, group: number | undefined) => {
    const tokens = tokenize(term, { mode: 'index' });
    const [first] = tokens;
    if (first === undefined) return;
    const entries = byFirst.get(first);
    if (entries === undefined) byFirst.set(first, [{ tokens, term, group }]);
    else entries.push({ tokens, term, group });
  };
  for (const [group, terms] of record.groups.entries()) for (const term of terms) add(term, group);
  for (const term of record.protectedTerms) add(term, undefined);
  const isEmpty = byFirst.size === 0;
  return {
    record,
    apply(question) {
      if (isEmpty) return { added: [], protectedTerms: [] };
      const groups = new Set<number>();
      const protectedTerms = new Set<string>();
      for (const { term, group } of entriesIn(tokenize(question.slice(0, readLength), { mode: 'index' }), byFirst)) {
        if (group === undefined) protectedTerms.add(term);
        else groups.add(group);
      }
      const asked = normalizeText(question, foldTraditional);
      const others = [...groups].flatMap((group) => record.groups[group] as readonly string[]);
      const added = [...new Set(others)].filter((term) => !asked.includes(normalizeText(term, foldTraditional)));
      return { added: added.slice(0, maxAdded), protectedTerms: [...protectedTerms] };
    },
  };
}

function* entriesIn(tokens: readonly string[], byFirst: ReadonlyMap<string, readonly Entry[]>): Iterable<Entry> {
  for (const [start, token] of tokens.entries()) {
    for (const entry of byFirst.get(token) ?? []) {
      if (entry.tokens.every((part, offset) => tokens[start + offset] === part)) yield entry;
    }
  }
}

/** The words to search for a question, with those of its added terms. */
export function wordsOf(
  question: string,
  { added, protectedTerms }: AppliedTerms,
  options: QueryWordOptions,
): QueryWord[] {
  const words = weighWords(question, { ...options, protectedTerms });
  if (added.length === 0) return words;
  const known = new Set(words.map(({ word }) => word));
  for (const term of added) {
    for (const { word } of weighWords(term, options)) {
      if (known.has(word)) continue;
      known.add(word);
      words.push({ word, weight: addedWeight });
    }
  }
  return words;
}

/** Longest question that other services take, in UTF-16 code units. */
const maxQuestion = 16_384;

/** A question with its added terms, for what reads text: a lexical embedding, a reranker. */
export function withTerms(question: string, { added }: AppliedTerms): string {
  if (added.length === 0) return question;
  const longer = `${question}\n${added.join(' ')}`;
  return longer.length > maxQuestion ? question : longer;
}
