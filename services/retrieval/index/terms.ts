import { formalWords } from '#kit/text/concepts/concepts.ts';
import { inFormalPhrases } from '#kit/text/concepts/phrasings.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { type QueryWord, type QueryWordOptions, weighWords } from '#kit/text/query/query-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { TermRecord } from '../catalog/terms.ts';

/** A tenant's terms, indexed so that a question can be searched for them. */
export interface Terms {
  readonly record: TermRecord;
  /** Returns the terms that the question contains, and the words to add to it. */
  apply(question: string): AppliedTerms;
}

/** The terms of a question. */
export interface AppliedTerms {
  /** Words with the same meaning as the question's terms, without those that the question has. */
  added: readonly string[];
  /** Protected terms that the question contains. */
  protectedTerms: readonly string[];
}

/** A record without terms. */
export const noTerms: TermRecord = { groups: [], protectedTerms: [] };

/** Words that a question gets at most, so that they do not outweigh its own. */
const maxAdded = 24;

/** Weight of an added word; a word of the question has at most 1. */
const addedWeight = 0.5;

/** Weight of an everyday word with the same meaning as one of the question. */
const everydayWeight = 0.8;
/** Everyday words that a question gets at most. */
const maxEveryday = 32;

/** Characters of a question that are searched for terms. */
const readLength = 4096;

interface Entry {
  tokens: readonly string[];
  term: string;
  /** Index of its group; `undefined`: it is a protected term. */
  group: number | undefined;
}

/** Indexes terms by their tokens, so that other forms match too: "Refunds" is "refund", 退貨 is 退货. */
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

/** Returns the words to search for a question, including those of its added terms. */
export function wordsOf(
  question: string,
  { added, protectedTerms }: AppliedTerms,
  options: QueryWordOptions,
): QueryWord[] {
  const words = weighWords(question, { ...options, protectedTerms });
  const known = new Set(words.map(({ word }) => word));
  const add = (term: string, weight: number) => {
    for (const { word } of weighWords(term, options)) {
      if (known.has(word)) continue;
      known.add(word);
      words.push({ word, weight });
    }
  };
  for (const term of added) add(term, addedWeight);
  const plain = normalizeText(question.slice(0, readLength), foldTraditional);
  const formal = inFormalPhrases(plain);
  if (formal !== plain) add(formal, everydayWeight);
  for (const term of formalWords(formal).slice(0, maxEveryday)) add(term, everydayWeight);
  return words;
}

/** Longest question that other services accept, in UTF-16 code units. */
const maxQuestion = 16_384;

/** Returns a question with its added terms, for consumers of text: a lexical embedding, a reranker. */
export function withTerms(question: string, { added }: AppliedTerms): string {
  if (added.length === 0) return question;
  const longer = `${question}\n${added.join(' ')}`;
  return longer.length > maxQuestion ? question : longer;
}
