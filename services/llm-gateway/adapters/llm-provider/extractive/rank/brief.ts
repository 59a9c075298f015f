import { negates } from '../passage/negating.ts';
import { matchTerm, type SearchText, toSearchText } from '../passage/search-text.ts';
import { kindAsked } from '../question/kinds.ts';
import { isBrief, type Question, readQuestion, type Term } from '../question/question.ts';
import type { Candidate, Evidence } from './evidence.ts';

// A short question ("运费多少钱", "How do I return something?") names a page or a section, and hardly a sentence of it. What matters then is
// which section is about nothing else, and what it says first. All features are 0 for other questions.

/** Names of the features, in the order of {@link briefFeaturesOf}. Each is 0 to 1. */
export const briefNames = [
  'briefHeading',
  'briefHeadingExtra',
  'briefHeadingAsks',
  'briefTitle',
  'briefTitleExtra',
  'briefOpening',
  'briefPageOpening',
  'briefCondition',
  'briefDenied',
  'briefItem',
] as const;

/** How well a heading or title must match a term. */
const minMatch = 0.7;
/** Terms of a lower weight say only what kind of answer is meant: how long, 多久. */
const minWeight = 0.5;
/** So many words of a heading that a question does not say make it another matter. */
const maxExtra = 3;
/** A sentence about a case that the question does not name. */
const condition =
  /如果|若|如(?=\p{sc=Han}{2})|除外|除了|逾期|超过|仅限|只限|但|否则|时[，,]|后[，,]|前[，,]|\b(?:if|unless|except|only|until|should (?:it|the|you)|when|once|after|otherwise|however)\b/iu;

/** Words of a heading that make it no other matter, as terms. */
const general = new Set(
  `期限 时间 说明 须知 规则 规定 标准 方式 方法 流程 步骤 指南 问题 常见 服务 信息 种类 品类 各品类 支持 情形 如何
  rate guid inform detail basic gener overview polici rule option term`.split(/\s+/),
);

/** What each heading is about. They are those of passages that are kept, so this ends with them. */
const topics = new WeakMap<SearchText, readonly Term[]>();

/** Headings and titles with the number of their words that a short question does not say: 2 of 取消和退货时券怎么办 for 怎么取消订单. */
export type ExtraWords = ReadonlyMap<SearchText, number>;

/** Returns what the headings and titles of the evidence say more than a short question; nothing for another one. */
export function extraWordsOf({ question, sources }: Evidence): ExtraWords {
  const counts = new Map<SearchText, number>();
  if (!isBrief(question)) return counts;
  const asked = toSearchText(question.plain);
  for (const { text } of sources) {
    for (const heading of [text.title, text.path, ...text.headings]) {
      if (heading === undefined || counts.has(heading)) continue;
      counts.set(heading, topicOf(heading).filter((term) => matchTerm(term, asked) < minMatch).length);
    }
  }
  return counts;
}

function topicOf(heading: SearchText): readonly Term[] {
  const known = topics.get(heading);
  if (known !== undefined) return known;
  const { terms } = readQuestion({ focus: heading.plain, background: '' });
  const topic = terms.filter(({ text, weight }) => weight >= minWeight && !general.has(text));
  topics.set(heading, topic);
  return topic;
}

/** Returns the features of a candidate for a short question. */
export function briefFeaturesOf(question: Question, candidate: Candidate, extra: ExtraWords): number[] {
  if (!isBrief(question)) return briefNames.map(() => 0);
  const { unit, source, index, text } = candidate;
  const heading = headingOf(candidate);
  const topic = question.terms.filter(({ isFocus, weight }) => isFocus && weight >= minWeight);
  const isFirst = source.text.units.findIndex((other) => other.heading === unit.heading) === index;
  const asked = kindAsked(heading.plain);
  const shareOf = (searched: SearchText) =>
    topic.filter((term) => matchTerm(term, searched) >= minMatch).length / (topic.length || 1);
  const extraOf = (searched: SearchText) => Math.min(1, (extra.get(searched) ?? 0) / maxExtra);
  const values: Record<(typeof briefNames)[number], number> = {
    briefHeading: shareOf(heading),
    briefHeadingExtra: extraOf(heading),
    briefHeadingAsks: Number(asked !== undefined && asked === question.wants),
    briefTitle: shareOf(source.text.title),
    briefTitleExtra: extraOf(source.text.title),
    briefOpening: Number(isFirst),
    briefPageOpening: Number(source.passage.ordinal === 0),
    briefCondition: Number(condition.test(text.plain)),
    briefDenied: Number(negates(unit.heading) && !negates(question.plain)),
    briefItem: Number(unit.kind !== 'sentence'),
  };
  return briefNames.map((name) => values[name]);
}

/** Returns the heading above a unit; without one, that of its passage or its title. */
export function headingOf({ source: { text }, index }: Candidate): SearchText {
  return text.headings[index] ?? (text.path.plain === '' ? text.title : text.path);
}
