import { unifyNotation } from './notation.ts';
import { readFacts } from './read-facts.ts';
import { type Amount, round, toAmount } from './units-compare.ts';

/** The facts that a text holds, for looking up those of another text. */
export interface FactSet {
  /** Amounts of one dimension: "time 1296000"; numbers without one: " 15". */
  amounts: ReadonlySet<string>;
  /** Parts of dates and times: "date 2026-12-1", "date 12-1", "month 12", "year 2026", "day 1", "clock 9:0", "weekday 1". */
  times: ReadonlySet<string>;
  /** Codes, addresses, and the numbers inside codes. */
  codes: ReadonlySet<string>;
  /** Currencies that a word names without a number beside it. */
  currencies: ReadonlySet<string>;
}

/** A fact of a claim, as {@link holdsFact} looks it up. */
export type Fact =
  | { kind: 'amount'; amount: Amount }
  | { kind: 'version'; text: string }
  | { kind: 'time'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'currency'; text: string };

/** Times that are compared. Words such as "today" or "morning" are not: each text uses them in its own way. */
const COMPARED_TIME = /^(?:date|month|year|day|clock|weekday) /;
/** Counts of what the text itself lists: three ways, 两种方式. They follow from the list and are in no passage. */
const LISTED =
  /(?<![\d.])(?:10|[2-9]|[一二两三四五六七八九十]|one|two|three|four|five|six|seven|eight|nine|ten)\s?(?:[种类点步条项]|个(?:方面|部分|步骤|条件|方法|选项|途径|渠道|情况)|方面|(?:different |main |possible )?(?:ways?|options?|steps?|conditions?|cases?|methods?|things?|types?|parts?|reasons?|channels?|requirements?)(?![a-z]))/g;
/** "a year", "per month", 每月: one of the unit. */
const ONE_OF =
  /(?<![a-z])(?:an?|per|each|every|one)[ -](second|minute|hour|day|week|month|year)(?![a-z])|[每当按](秒|分钟|小时|[天日周月年])/g;
const UNIT_OF_HAN: Readonly<Record<string, string>> = {
  秒: 'second',
  分钟: 'minute',
  小时: 'hour',
  天: 'day',
  日: 'day',
  周: 'week',
  月: 'month',
  年: 'year',
};
/** A second inspector is 第二位. The unit of time is no ordinal. */
const ORDINALS = ['first', 'second', 'third'];
const ORDINAL = /(?<![a-z\d-])(?<!\d )(?:first|second|third)(?![a-z])/g;
const GLUED = /^(\d+(?:\.\d+)?)([a-z]{1,5})$/;

/** Reads the facts of a claim: every number, amount, date, time, code and address that a passage must hold. */
export function readClaimFacts(text: string): Fact[] {
  const normal = unifyNotation(text).replace(LISTED, ' ');
  const { numbers, times, codes } = readFacts(normal, { timeWords: false });
  const facts: Fact[] = [];
  for (const number of numbers) {
    if (number.startsWith('in ')) {
      facts.push({ kind: 'currency', text: number.slice(3) });
      continue;
    }
    const amount = toAmount(number);
    if (amount === undefined) facts.push({ kind: 'version', text: number });
    // "One of them", 一次: an article.
    else if (!isArticle(amount)) facts.push({ kind: 'amount', amount });
  }
  for (const time of times) if (COMPARED_TIME.test(time)) facts.push({ kind: 'time', text: time });
  for (const code of codes) facts.push({ kind: 'code', text: withoutEnd(code) });
  return facts;
}

/** Indexes the facts of a passage. */
export function toFactSet(text: string): FactSet {
  const normal = unifyNotation(text);
  const { numbers, times, codes } = readFacts(normal, { timeWords: false });
  const amounts = new Set<string>();
  const currencies = new Set<string>();
  for (const number of numbers) {
    if (number.startsWith('in ')) currencies.add(number.slice(3));
    else addAmount(number, amounts, currencies);
  }
  for (const [, unit, han] of normal.matchAll(ONE_OF)) {
    addAmount(`1 ${unit ?? UNIT_OF_HAN[han ?? '']}`, amounts, currencies);
  }
  for (const [word] of normal.matchAll(ORDINAL)) addAmount(String(ORDINALS.indexOf(word) + 1), amounts, currencies);
  const timeParts = new Set<string>();
  for (const time of times) addTime(time, timeParts, amounts);
  const known = new Set<string>();
  for (const code of codes) {
    known.add(withoutEnd(code));
    for (const [digits] of code.matchAll(/\d+(?:\.\d+)?/g)) known.add(String(Number(digits)));
  }
  return { amounts, times: timeParts, codes: known, currencies };
}

/** Whether `facts` hold a fact of a claim. */
export function holdsFact(facts: FactSet, fact: Fact): boolean {
  switch (fact.kind) {
    case 'amount':
      return holdsAmount(facts, fact.amount);
    case 'version':
      return facts.amounts.has(` ${fact.text}`) || facts.codes.has(fact.text);
    case 'time':
      return holdsTime(facts, fact.text);
    case 'code': {
      if (facts.codes.has(fact.text)) return true;
      const [, digits, unit] = GLUED.exec(fact.text) ?? [];
      return digits !== undefined && unit !== undefined && holdsAmount(facts, bare(Number(digits)));
    }
    case 'currency':
      return facts.currencies.has(fact.text);
    default:
      return fact satisfies never;
  }
}

const isArticle = ({ value, dimension }: Amount) => value === 1 && (dimension === undefined || dimension === 'count');
const bare = (value: number): Amount => ({ value, dimension: undefined, written: String(value) });
const keyOf = (dimension: string | undefined, value: number) => `${dimension ?? ''} ${value}`;

function addAmount(number: string, into: Set<string>, currencies: Set<string>): void {
  const amount = toAmount(number);
  if (amount === undefined) {
    into.add(` ${number}`);
    return;
  }
  const { value, dimension, written } = amount;
  into.add(keyOf(dimension, value));
  into.add(`any ${Number(written)}`);
  if (dimension !== undefined && /^[a-z]{3}$/.test(dimension)) currencies.add(dimension);
  // 八五折 is 85 of 100, or 15 % off.
  if (number.endsWith('折')) {
    const percent = Number(written) > 10 ? Number(written) : Number(written) * 10;
    into.add(keyOf('percent', percent)).add(keyOf('percent', round(100 - percent)));
  }
}

function holdsAmount({ amounts, times, codes }: FactSet, { value, dimension, written }: Amount): boolean {
  const number = Number(written);
  // Tables and ranges write the unit once: a passage's number without a unit fits every unit.
  if (amounts.has(keyOf(dimension, value)) || amounts.has(keyOf(undefined, number))) return true;
  if (dimension === undefined || dimension === 'count') {
    return amounts.has(`any ${number}`) || codes.has(String(number)) || times.has(`year ${number}`);
  }
  return dimension === 'time' && value % 86_400 === 0 && times.has(`day ${value / 86_400}`);
}

function addTime(time: string, into: Set<string>, amounts: Set<string>): void {
  if (!COMPARED_TIME.test(time)) return;
  into.add(time);
  if (time.startsWith('day ')) amounts.add(keyOf('time', Number(time.slice(4)) * 86_400)).add(`any ${time.slice(4)}`);
  if (time.startsWith('year ')) amounts.add(`any ${time.slice(5)}`);
  if (!time.startsWith('date ')) return;
  const parts = time.slice(5).split('-');
  const [month = '', day = ''] = parts.slice(-2);
  if (parts.length === 3) into.add(`year ${parts[0]}`);
  into.add(`date ${month}-${day}`).add(`month ${month}`).add(`day ${day}`);
}

function holdsTime({ times, amounts }: FactSet, time: string): boolean {
  if (times.has(time)) return true;
  const [kind, value = ''] = time.split(' ');
  switch (kind) {
    case 'date': {
      const [year = '', month, day] = value.split('-');
      // The year of a date may be elsewhere in the passage.
      return day !== undefined && times.has(`date ${month}-${day}`) && times.has(`year ${year}`);
    }
    case 'day':
      return amounts.has(keyOf('time', Number(value) * 86_400)) || amounts.has(` ${value}`);
    case 'year':
      return amounts.has(` ${value}`);
    default:
      return false;
  }
}

const withoutEnd = (code: string) => code.replace(/[.,;:!?\])]+$/, '');
