import { negates } from '../passage/negating.ts';
import { matchTerm, type SearchText, toSearchText } from '../passage/search-text.ts';
import type { Unit } from '../passage/units.ts';
import { kindAsked, showsKind } from '../question/kinds.ts';
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
  'briefPlace',
  'briefValue',
  'briefSpecialPlace',
  'briefSpecial',
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

/** Words for a case beside the general one. */
const special =
  /第三方|商家|店铺承诺|会员|学生|团体|企业|对公|海外|境外|跨境|国际|港澳台|偏远|加急|次日|翻新|大件|预售|定制|缺货|质量问题|破损|未送达|两次|换来|赠品|套装|双十|高峰|节日|春节|除外|逾期|\d{1,2} ?月 ?\d{1,2} ?[日号]|(?<![a-z])(?:marketplace|sellers?|members?|students?|groups?|company|companies|overseas|abroad|international|remote|express|bulky|refurbished|missed|partial|split|replacement|gifts?|bundles?|faulty|damaged?|refused?|held|clearance|unless|except|otherwise|january|february|march|april|june|july|august|september|october|november|december)(?![a-z])/giu;
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
  const placed = placedShare(topic, candidate, heading);
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
    briefPlace: placed,
    briefValue: Number(placed === 1 && showsValue(question, candidate)),
    briefSpecialPlace: Number(isSpecial(question, `${heading.plain} ${source.text.title.plain}`)),
    briefSpecial: Number(isSpecial(question, text.plain)),
  };
  return briefNames.map((name) => values[name]);
}

/** Returns the share of a topic that the places of a statement name: title, heading, columns, the line above a list. */
function placedShare(topic: readonly Term[], { unit, source, text }: Candidate, heading: SearchText): number {
  const lead = unit.leadIndex === undefined ? undefined : source.text.texts[unit.leadIndex];
  const columns = unit.cells.length === 0 ? undefined : columnsOf(unit);
  const itself = unit.kind === 'heading' ? text : undefined;
  const places = [heading, source.text.title, lead, columns, itself].filter((one) => one !== undefined);
  const isPlaced = (term: Term) => places.some((one) => matchTerm(term, one) >= minMatch);
  return topic.filter(isPlaced).length / (topic.length || 1);
}

/** Names of the columns of each row. The rows are those of passages that are kept, so this ends with them. */
const columns = new WeakMap<Unit, SearchText>();

function columnsOf(unit: Unit): SearchText {
  const known = columns.get(unit);
  if (known !== undefined) return known;
  const names = toSearchText(unit.cells.map(({ name }) => name).join(' '));
  columns.set(unit, names);
  return names;
}

function showsValue({ wants, shape }: Question, { unit, text }: Candidate): boolean {
  if (shape !== undefined) return shape.shown.test(text.plain);
  return wants === 'steps' ? unit.number !== undefined : wants !== undefined && showsKind(wants, text.plain);
}

/** Returns whether a text is about a special case that the question does not name. */
export function isSpecial({ plain }: Question, text: string): boolean {
  return Array.from(text.matchAll(special), ([word]) => word).some((word) => !plain.includes(word));
}

/** Returns the heading above a unit; without one, that of its passage or its title. */
export function headingOf({ source: { text }, index }: Candidate): SearchText {
  return text.headings[index] ?? (text.path.plain === '' ? text.title : text.path);
}
