import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { negates } from '../passage/negating.ts';
import { matchTerm } from '../passage/search-text.ts';
import { showsKind } from '../question/kinds.ts';
import type { Question } from '../question/question.ts';
import { briefFeaturesOf, briefNames, type ExtraWords, extraWordsOf } from './brief.ts';
import type { Candidate, Evidence } from './evidence.ts';
import { isPriceOf, pricedThings } from './prices.ts';
import { saidShare } from './said.ts';

// What the models read of a quotation and its question. Each feature is 0 to 1 (shares, signs).

/** A sentence that names the topic of the page without content. */
const aboutItself =
  /^(?:本(?:文|章|节|页|主题|文档)[^，。]{0,8}(?:介绍|说明|描述|讲述|适用)|this (?:topic|section|article|document|page|chapter|guide) (?:describes|explains|introduces|provides|covers|shows))/i;
const code = /(?<![a-z\d])(?=[a-z-]*\d)(?=[\d-]*[a-z])[a-z]{1,5}-?\d{1,5}[a-z\d]{0,3}(?![a-z\d-])/g;
const partConcepts = new Set(conceptsOf('配件').map(({ concept }) => concept));
const tradeConcepts = new Set(conceptsOf('以旧换新').map(({ concept }) => concept));
const yesNo =
  /^(?:yes|no|not|never|neither|可以|不可以|不能|不行|能|不支持|支持|有|没有|不会|会|不|是|不是|否)(?![\p{Ll}])/iu;
const asksYesNo =
  /[吗么]|(.)[不没]\1|不$|能否|是否|可否|^(?:is|are|was|can|could|do|does|did|will|would|may|must|should|am|has|have)(?![a-z])/;

/** Names of the features, in the order of {@link featuresOf}. */
export const ownNames = [
  'own',
  'exact',
  'near',
  'all',
  'background',
  'rarest',
  'last',
  'missing',
  'headingSaid',
  'leadSaid',
  'title',
  'kindShown',
  'kindHidden',
  'moneyShown',
  'first',
  'prior',
  'rerank',
  'otherCode',
  'lacksCode',
  'part',
  'trade',
  'foreign',
  'row',
  'step',
  'heading',
  'code',
  'short',
  'long',
  'asks',
  'aboutItself',
  'density',
  'pairs',
  'yesNo',
  'rowLabel',
  'focusNear',
  'titled',
  'partMissing',
  'begins',
  'denied',
  'deniedList',
  'bothDenied',
  'titleCode',
  'labelExtra',
  'pairsNear',
  'priceOfThing',
  'shape',
  'noShape',
  'otherLabel',
] as const;

export const featureNames = [...ownNames, ...briefNames] as const;

/** What the candidates of a question are compared with. */
export interface Best {
  /** Highest score of a passage by the reranker. */
  rerank: number;
  /** Highest share of its label that the question says, among the rows of each table and the items of each list. */
  labels: ReadonlyMap<string, number>;
  /** What the headings and titles say more than a short question. */
  extraWords: ExtraWords;
}

/** Returns what the candidates of a question are compared with. */
export function bestOf(evidence: Evidence): Best {
  const { question, sources } = evidence;
  const labels = new Map<string, number>();
  for (const candidate of sources.flatMap(({ candidates }) => candidates)) {
    const place = placeOf(candidate);
    labels.set(place, Math.max(labels.get(place) ?? 0, labelShare(question, candidate)));
  }
  return {
    rerank: Math.max(0, ...sources.map(({ passage }) => passage.scores?.rerank ?? 0)),
    labels,
    extraWords: extraWordsOf(evidence),
  };
}

const placeOf = ({ source, unit }: Candidate): string => `${source.rank}.${unit.block}`;

/** Returns the share of the label of a row (its first cell) or of an item ("Gold: 21 days") that the question says; 0 without a label. */
function labelShare(question: Question, { unit, text }: Candidate): number {
  if (unit.kind !== 'row' && unit.kind !== 'step') return 0;
  const label = unit.cells[0]?.value.toLowerCase() ?? /^[^:：]{1,40}(?=[:：])/.exec(text.plain)?.[0];
  return label === undefined ? 0 : saidShare(question, label);
}

/** Returns the features of a candidate. */
export function featuresOf(evidence: Evidence, candidate: Candidate, best: Best): number[] {
  const { question, weights, sources } = evidence;
  const { unit, text, own, near, all, source } = candidate;
  const { wants } = question;
  const share = (match: readonly number[], isFocus?: boolean) => coverage(evidence, match, isFocus);
  const shows = wants !== undefined && showsKind(wants, text.plain);
  const rarest = indexOfMost(
    weights,
    (at) => question.terms[at]?.isFocus === true && (evidence.known[at] as number) > 0,
  );
  const last = question.terms.findLastIndex(({ isFocus, weight }) => isFocus && weight >= 0.9);
  const concepts = (wanted: ReadonlySet<number>) =>
    Number(intersects(text.concepts, wanted) && !intersects(question.concepts, wanted));
  const things = pricedThings(question);
  const heading = source.text.headings[candidate.index];
  const isDenied =
    negates(unit.heading) || (unit.leadIndex !== undefined && negates(source.text.units[unit.leadIndex]?.text ?? ''));
  const asksDenied = negates(question.plain);
  const leadUnit = unit.leadIndex === undefined ? undefined : source.text.texts[unit.leadIndex];
  const hasShape = showsShape(question, candidate);
  const rerank = source.passage.scores?.rerank ?? 0;
  const values: Record<(typeof ownNames)[number], number> = {
    own: share(own),
    exact: share(own.map((match) => (match === 1 ? 1 : 0))),
    near: share(near),
    all: share(all),
    background: share(near, false),
    rarest: rarest < 0 ? 0 : (near[rarest] as number),
    last: last < 0 ? 0 : (near[last] as number),
    missing: share(
      all.map((match) => (match === 0 ? 1 : 0)),
      true,
    ),
    headingSaid: heading === undefined ? 0 : saidShare(question, heading.plain),
    leadSaid: leadUnit === undefined ? 0 : saidShare(question, leadUnit.plain),
    title: share(
      question.terms.map((term, at) => ((all[at] as number) >= 0.7 && term.isFocus ? 1 : 0)),
      true,
    ),
    kindShown: Number(shows),
    kindHidden: Number(wants !== undefined && !shows),
    moneyShown: Number(wants === 'money' && shows),
    first: Number(source.rank === 0),
    prior: 1 - source.rank / Math.max(1, sources.length),
    rerank: best.rerank > 0 ? rerank / best.rerank : 0,
    otherCode: Number(hasOtherCode(question, candidate)),
    lacksCode: Number(
      question.terms.some(({ isExact, isFocus }, at) => isExact && isFocus && (all[at] as number) < 0.3),
    ),
    part: concepts(partConcepts),
    trade: concepts(tradeConcepts),
    foreign: Number(source.isForeign),
    row: Number(unit.kind === 'row'),
    step: Number(unit.kind === 'step'),
    heading: Number(unit.kind === 'heading'),
    code: Number(unit.kind === 'code'),
    short: Number(unit.text.length < 8),
    long: Number(unit.text.length > 300),
    asks: Number(/[？?]$/.test(unit.text)),
    aboutItself: Number(aboutItself.test(unit.text)),
    density: density(question, own, text.plain),
    pairs: pairShare(question.plain, text.plain),
    yesNo: Number(asksYesNo.test(question.plain) && yesNo.test(unit.text)),
    rowLabel: unit.kind === 'row' ? saidShare(question, (unit.cells[0]?.value ?? unit.text).toLowerCase()) : 0,
    focusNear: share(near, true),
    titled: share(candidate.titled),
    titleCode: Number(question.terms.some((term) => term.isExact && matchTerm(term, source.text.title) === 1)),
    labelExtra: unit.kind === 'row' ? 1 - saidShare(question, (unit.cells[0]?.value ?? unit.text).toLowerCase()) : 0,
    pairsNear: adjacency(question, text.plain),
    partMissing: Number(intersects(question.concepts, partConcepts) && !intersects(text.concepts, partConcepts)),
    begins: Number(
      question.terms.some(
        ({ text: word, isFocus, weight }) => isFocus && weight >= 0.9 && text.plain.slice(0, 14).includes(word),
      ),
    ),
    priceOfThing: Number(things.length > 0 && isPriceOf(things, candidate)),
    shape: Number(hasShape),
    noShape: Number(question.shape !== undefined && !hasShape),
    otherLabel: Math.max(0, (best.labels.get(placeOf(candidate)) ?? 0) - labelShare(question, candidate)),
    denied: Number(isDenied && question.form !== 'list'),
    deniedList: Number(isDenied && question.form === 'list' && !asksDenied),
    bothDenied: Number(isDenied && asksDenied),
  };
  return [...ownNames.map((name) => values[name]), ...briefFeaturesOf(question, candidate, best.extraWords)];
}

/** Returns the share of the terms' weight that a match covers, among the terms of the clause that asks or among the others. */
export function coverage({ question, weights }: Evidence, match: readonly number[], isFocus?: boolean): number {
  let found = 0;
  let total = 0;
  for (const [at, term] of question.terms.entries()) {
    if (isFocus !== undefined && term.isFocus !== isFocus) continue;
    found += (weights[at] as number) * (match[at] as number);
    total += weights[at] as number;
  }
  return total === 0 ? 0 : found / total;
}

function indexOfMost(values: readonly number[], counts: (at: number) => boolean): number {
  let most = -1;
  for (const [at, value] of values.entries()) {
    if (counts(at) && (most < 0 || value > (values[most] as number))) most = at;
  }
  return most;
}

function intersects(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  for (const one of a) if (b.has(one)) return true;
  return false;
}

function hasOtherCode({ plain }: Question, { text, source }: Candidate): boolean {
  const given = `${plain} ${source.text.title.plain}`;
  return [...text.plain.matchAll(code)].some(([one]) => /\d{2}/.test(one) && !given.includes(one));
}

function showsShape({ shape }: Question, { text, unit }: Candidate): boolean {
  return shape !== undefined && (shape.shown.test(text.plain) || (shape.written?.test(unit.text) ?? false));
}

/** Returns how much of a text the question's words are. */
function density({ terms }: Question, own: readonly number[], plain: string): number {
  const length = terms.reduce((sum, { text }, at) => sum + (own[at] as number) * text.length, 0);
  return Math.min(1, (2 * length) / Math.max(12, plain.length));
}

/** Returns the share of a Chinese question's character pairs that a text has. */
function pairShare(question: string, plain: string): number {
  const written = question.replace(/[^\p{L}\p{N}]+/gu, '');
  if (written.length < 2 || !/\p{sc=Han}/u.test(written)) return 0;
  const text = plain.replace(/[^\p{L}\p{N}]+/gu, '');
  let found = 0;
  for (let index = 1; index < written.length; index++) if (text.includes(written.slice(index - 1, index + 1))) found++;
  return found / (written.length - 1);
}

/** Returns the share of adjacent pairs of the question's terms that are adjacent in a text, in either order. */
function adjacency({ terms }: Question, plain: string): number {
  const words = terms.filter(({ isFocus }) => isFocus);
  if (words.length < 2) return 0;
  let found = 0;
  for (let index = 1; index < words.length; index++) {
    const [a, b] = [words[index - 1]?.text ?? '', words[index]?.text ?? ''];
    const at = plain.indexOf(a);
    const other = plain.indexOf(b);
    if (at >= 0 && other >= 0 && Math.abs(at - other) <= Math.max(a.length, b.length) + 6) found++;
  }
  return found / (words.length - 1);
}
