import { extractFacts } from '#kit/text/facts/quick-facts.ts';
import { detectLanguage, type Language } from '#kit/text/language.ts';
import { weighWords } from '#kit/text/query/query-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { LexicalText } from './text.ts';

/**
 * What each sign of relevance adds to the prior (the score of the stage before, 0 to 1). Found by coordinate search on half of the
 * questions of six public sets in Chinese and English; the other halves, and each set with weights found without it, gain as well.
 * Near weights do as well.
 */
const weights = { prior: 1, proximity: 0.2, span: 0.2, lead: 0.6, heading: 0.4, title: 0.2, facts: 0.2 } as const;
const names = Object.keys(weights) as (keyof typeof weights)[];
const maxScore = Object.values(weights).reduce((sum, weight) => sum + weight, 0);

/** Tokens of a passage's beginning, which mostly states its subject. */
const leadLength = 30;

/** A question, ready for scoring. */
export interface LexicalQuery {
  /** Position of each token in the question; the last one of a token that repeats. */
  positions: ReadonlyMap<string, number>;
  /** How much each token counts, by its own: less for a Chinese bigram across the border of two words. */
  weights: ReadonlyMap<string, number>;
  /** Its codes, dates, addresses and quantities: facts that hold a digit and a letter or @. */
  facts: readonly string[];
  language: Language;
}

/** A token of the question in a text, and its position there in tokens. */
interface Hit {
  at: number;
  token: string;
}

/** A candidate, ready for scoring. */
export interface LexicalCandidate {
  /** In the order of the text. */
  hits: readonly Hit[];
  /** Tokens of the question in text or title. */
  shared: ReadonlySet<string>;
  /** Tokens of the title as a whole, and of each heading in it. */
  titles: readonly ReadonlySet<string>[];
  facts: ReadonlySet<string>;
  prior: number;
  /** Whether it is in another language than the question and shares no word with it: its words say nothing about its relevance. */
  isForeign: boolean;
}

/** Weights of tokens by how few of the candidates hold them. */
export interface CandidateIdf {
  passage(token: string): number;
  title(token: string): number;
}

/** Reads a question. */
export function readQuery(text: string): LexicalQuery {
  const positions = new Map(tokenize(text, { mode: 'query' }).map((token, index) => [token, index] as const));
  // How often the question says a token makes no difference here.
  const weights = new Map(weighWords(text).map(({ word, weight }) => [word, Math.min(1, weight)] as const));
  const facts = extractFacts(text).filter((fact) => /\d/.test(fact) && /[a-z@]/.test(fact));
  return { positions, weights, facts, language: detectLanguage(text) };
}

/** Reads a candidate for a question. `tokenOf`: the question's tokens by their number in `text`. */
export function readCandidate(
  query: LexicalQuery,
  tokenOf: ReadonlyMap<number, string>,
  text: LexicalText,
  prior: number,
): LexicalCandidate {
  const { words, titles } = text;
  const hits: Hit[] = [];
  const shared = new Set<string>();
  for (let at = 0; at < words.length; at++) {
    const token = tokenOf.get(words[at] as number);
    if (token === undefined) continue;
    hits.push({ at, token });
    shared.add(token);
  }
  for (const token of titles[0] as ReadonlySet<string>) if (query.positions.has(token)) shared.add(token);
  const isForeign =
    shared.size === 0 && text.language !== query.language && text.language !== 'und' && query.language !== 'und';
  return { hits, shared, titles, facts: query.facts.length > 0 ? text.facts() : noFacts, prior, isForeign };
}

const noFacts: ReadonlySet<string> = new Set();

/** Weights of the question's and titles' tokens among the candidates: BM25's idf, always above 0. */
export function candidateIdf(query: LexicalQuery, candidates: readonly LexicalCandidate[]): CandidateIdf {
  const inPassages = countHolders(candidates.map(({ shared }) => shared));
  const inTitles = countHolders(candidates.map(({ titles }) => titles[0] as ReadonlySet<string>));
  const idf = (holders: number) => Math.log(1 + (candidates.length - holders + 0.5) / (holders + 0.5));
  return {
    passage: (token) => idf(inPassages.get(token) ?? 0) * (query.weights.get(token) ?? 1),
    title: (token) => idf(inTitles.get(token) ?? 0),
  };
}

function countHolders(sets: readonly ReadonlySet<string>[]): Map<string, number> {
  const holders = new Map<string, number>();
  for (const set of sets) {
    for (const token of set) holders.set(token, (holders.get(token) ?? 0) + 1);
  }
  return holders;
}

/** Signs of relevance, 0 to 1 each, by name. */
export type Signs = Record<keyof typeof weights, number>;

/** The score of a candidate, 0 to 1, and what made it up. Depends on the candidate and on the set of all, never on their order. */
export function scoreCandidate(
  query: LexicalQuery,
  candidate: LexicalCandidate,
  idf: CandidateIdf,
): { score: number; signs: Signs } {
  const tokens = [...query.positions.keys()];
  const total = sum(tokens.map(idf.passage)) || 1;
  const titles = candidate.titles.map((title) => titleMatch(tokens, title, idf));
  const signs: Signs = {
    prior: candidate.prior,
    proximity: proximity(query, candidate, idf) / total,
    span: longestSpan(query, candidate, idf) / total,
    lead: leadMatch(candidate, idf) / total,
    heading: Math.max(...titles.map(({ ofTitle }) => ofTitle)),
    title: Math.max(...titles.map(({ ofTitle, ofQuestion }) => ofTitle * ofQuestion)),
    facts: share(query.facts, (fact) => candidate.facts.has(fact)),
  };
  let score = 0;
  for (const name of names) score += weights[name] * signs[name];
  return { score: Math.min(1, Math.max(0, score / maxScore)), signs };
}

/** Candidates with the highest priors that show how scores relate to priors. */
const sampleSize = 10;
/** Least prior of such a candidate. */
const leastPrior = 0.01;

/**
 * Returns what the score of a foreign candidate is, as a multiple of its prior: that of the best other candidates. So it keeps its place
 * among them, as if its words spoke for it as much as theirs do.
 */
export function foreignRatio(query: LexicalQuery, candidates: readonly LexicalCandidate[], idf: CandidateIdf): number {
  if (!candidates.some(({ isForeign }) => isForeign)) return 0;
  const others = candidates.filter(({ isForeign, prior }) => !isForeign && prior >= leastPrior);
  if (others.length === 0) return weights.prior / maxScore;
  const priors = others.map(({ prior }) => prior).sort((a, b) => b - a);
  const lowest = priors[Math.min(sampleSize, priors.length) - 1] as number;
  // All of the lowest, so that the order of candidates makes no difference.
  const best = others.filter(({ prior }) => prior >= lowest);
  const scoreSum = sum(best.map((candidate) => scoreCandidate(query, candidate, idf).score));
  return scoreSum / sum(best.map(({ prior }) => prior));
}

/** Greatest weight of different question tokens in a window of the text: twice as many tokens as the question has, and 8. */
function proximity(query: LexicalQuery, { hits }: LexicalCandidate, idf: CandidateIdf): number {
  const width = 2 * query.positions.size + 8;
  const inWindow = new Map<string, number>();
  let best = 0;
  let weight = 0;
  let first = 0;
  for (const { at, token } of hits) {
    const before = inWindow.get(token) ?? 0;
    inWindow.set(token, before + 1);
    if (before === 0) weight += idf.passage(token);
    for (let oldest = hits[first]; oldest !== undefined && oldest.at < at - width; oldest = hits[++first]) {
      const left = (inWindow.get(oldest.token) as number) - 1;
      inWindow.set(oldest.token, left);
      if (left === 0) weight -= idf.passage(oldest.token);
    }
    best = Math.max(best, weight);
  }
  return best;
}

/** Returns the greatest weight of a run of tokens that are adjacent and in order, in the text as in the question. */
function longestSpan(query: LexicalQuery, { hits }: LexicalCandidate, idf: CandidateIdf): number {
  let best = 0;
  let weight = 0;
  let nextAt = -1;
  let nextPosition = -1;
  for (const { at, token } of hits) {
    const position = query.positions.get(token) as number;
    weight = (at === nextAt && position === nextPosition ? weight : 0) + idf.passage(token);
    nextAt = at + 1;
    nextPosition = position + 1;
    best = Math.max(best, weight);
  }
  return best;
}

/** Weight of the different question tokens at the beginning of the text. */
function leadMatch({ hits }: LexicalCandidate, idf: CandidateIdf): number {
  const seen = new Set<string>();
  let weight = 0;
  for (const { at, token } of hits) {
    if (at >= leadLength) break;
    if (!seen.has(token)) weight += idf.passage(token);
    seen.add(token);
  }
  return weight;
}

/** How much of the title is in the question, and how much of the question in the title; 0 to 1 each. */
function titleMatch(tokens: readonly string[], title: ReadonlySet<string>, idf: CandidateIdf) {
  const shared = sum(tokens.filter((token) => title.has(token)).map(idf.title));
  if (shared === 0) return { ofTitle: 0, ofQuestion: 0 };
  return { ofTitle: shared / sum([...title].map(idf.title)), ofQuestion: shared / sum(tokens.map(idf.title)) };
}

function share<T>(values: readonly T[], holds: (value: T) => boolean): number {
  return values.length === 0 ? 0 : values.filter(holds).length / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
