import { type Question, questionLengthMax } from '../question.ts';
import { isInDomain, isRare, type Vocabulary } from '../vocabulary.ts';
import { type Difference, differenceOf } from './difference.ts';
import { hasChangedSides } from './order.ts';
import { isReplaced } from './replacement.ts';

/** A guard, by what it compares. */
export type GuardName =
  | 'language'
  | 'length'
  | 'negation'
  | 'opposite'
  | 'number'
  | 'time'
  | 'code'
  | 'name'
  | 'question_type'
  | 'direction'
  | 'domain'
  | 'rare_word'
  | 'substitution';

/** Why a guard refuses a pair. It has no words of the questions, because it is logged. */
export interface Refusal {
  guard: GuardName;
  reason: string;
}

/** What the vectors of the calibrated model represent. */
export type VectorKind = 'words' | 'meanings';

interface Guard {
  name: GuardName;
  reason: string;
  /** The vectors with which it is used. @default all */
  only?: VectorKind;
  refuses(first: Question, second: Question, difference: Difference, vocabulary: Vocabulary): boolean;
}

/** Cheap ones first. Each one refuses a pair regardless of the verifier. */
const guards: readonly Guard[] = [
  {
    name: 'language',
    reason: 'the languages differ, or are not known',
    refuses: (a, b) => a.language !== b.language || a.language === 'und',
  },
  {
    name: 'length',
    reason: `a question has more than ${questionLengthMax} characters, or nothing but filling`,
    refuses: (a, b) => [a, b].some(({ text, content }) => text.length > questionLengthMax || content.length === 0),
  },
  {
    name: 'substitution',
    reason: 'they share no content',
    only: 'words',
    refuses: (_a, _b, { shared }) => shared.length === 0,
  },
  {
    name: 'number',
    reason: 'numbers, amounts or their units differ',
    refuses: (a, b) => !sameNumbers(a.facts.numbers, b.facts.numbers),
  },
  { name: 'time', reason: 'dates or times differ', refuses: (a, b) => !pairUp(a.facts.times, b.facts.times) },
  { name: 'code', reason: 'codes or addresses differ', refuses: (a, b) => !pairUp(a.facts.codes, b.facts.codes) },
  {
    name: 'negation',
    reason: 'one denies what the other does not',
    refuses: (a, b) => !sameNegations(a.negations, b.negations),
  },
  {
    name: 'opposite',
    reason: 'they are on two sides of opposites',
    refuses: (a, b) =>
      a.sides.some(
        (side, index) =>
          (side | (b.sides[index] as number)) === 3 && side !== b.sides[index] && side !== 3 && b.sides[index] !== 3,
      ),
  },
  {
    name: 'question_type',
    reason: 'they ask for different things (how, why, when, …)',
    refuses: (a, b) => !sameTypes(a, b),
  },
  { name: 'name', reason: 'a name or quoted word of one is not in the other', refuses: (a, b) => !sameNames(a, b) },
  {
    name: 'direction',
    reason: 'two sides of a word have changed places',
    refuses: (a, b) => hasChangedSides(a.order, b.order),
  },
  {
    name: 'domain',
    reason: 'the calibration has seen few of their words',
    only: 'meanings',
    refuses: (a, b, _difference, vocabulary) => !isInDomain(a, vocabulary) || !isInDomain(b, vocabulary),
  },
  {
    name: 'rare_word',
    reason: 'one has a word that is rare and that the other lacks',
    only: 'words',
    refuses: (_a, _b, { onlyFirst, onlySecond }, vocabulary) =>
      [...onlyFirst, ...onlySecond].some((run) => isRare(run, vocabulary)),
  },
  {
    name: 'substitution',
    reason: 'a word replaces another one, and they are not known to mean the same',
    only: 'words',
    refuses: (a, b, difference) => isSubstitution(a, b, difference),
  },
  {
    name: 'substitution',
    reason: 'a word replaces another one, and pairs of the calibration that differ in them mostly differ in meaning',
    only: 'meanings',
    refuses: (a, b, _difference, { words }) => isReplaced(a, b, words),
  },
];

const guardsOf = {
  words: guards.filter(({ only }) => only !== 'meanings'),
  meanings: guards.filter(({ only }) => only !== 'words'),
};

/** Returns every reason not to use the answer of one question for the other; empty if there is none. */
export function refusalsOf(first: Question, second: Question, vocabulary: Vocabulary, kind: VectorKind): Refusal[] {
  const difference = differenceOf(first, second);
  return guardsOf[kind]
    .filter((guard) => guard.refuses(first, second, difference, vocabulary))
    .map(({ name, reason }) => ({ guard: name, reason }));
}

/** Returns the first reason of {@link refusalsOf}; `undefined` if there is none. */
export function refusalOf(
  first: Question,
  second: Question,
  vocabulary: Vocabulary,
  kind: VectorKind,
): Refusal | undefined {
  const difference = differenceOf(first, second);
  const guard = guardsOf[kind].find((each) => each.refuses(first, second, difference, vocabulary));
  return guard && { guard: guard.name, reason: guard.reason };
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.every((value) => b.includes(value)) && b.every((value) => a.includes(value));
}

/** Returns whether each value has its own partner in the other list: 今天…今天 and 昨天…今天 differ. */
function pairUp(
  a: readonly string[],
  b: readonly string[],
  fits = (one: string, other: string) => one === other,
): boolean {
  if (a.length !== b.length) return false;
  const left = [...b];
  return a.every((value) => {
    const found = left.findIndex((other) => fits(value, other));
    if (found >= 0) left.splice(found, 1);
    return found >= 0;
  });
}

/** Returns whether numbers are equal. One without a unit equals the same number with one: 借3000, 借3000元. */
function sameNumbers(a: readonly string[], b: readonly string[]): boolean {
  // Sorted, so that equal ones are paired first.
  const [first, second] = [[...a].sort(), [...b].sort()];
  return pairUp(first, second, (value, other) => other === value || isPart(value, other) || isPart(other, value));
}

const isPart = (bare: string, full: string) => !bare.includes(' ') && full === `${bare} cny`;

/** Returns whether both deny the same things. */
const sameNegations = (a: readonly string[], b: readonly string[]) => pairUp(a, b, overlaps);

/** Returns whether two denials concern one thing: each begins with a word that is among the first two of the other. */
function overlaps(a: string, b: string): boolean {
  if (a === '' || b === '') return a === b;
  const [first, second] = [a.split(' ').slice(0, 2), b.split(' ').slice(0, 2)];
  return second.includes(first[0] as string) && first.includes(second[0] as string);
}

/** "When" and "how long" ask for one fact; a bare subject (更改手机号) asks how. */
function sameTypes(a: Question, b: Question): boolean {
  const plain = ({ types }: Question) =>
    types.length === 0 ? ['how'] : types.map((type) => (type === 'when' ? 'how long' : type));
  return sameSet(plain(a), plain(b));
}

function sameNames(a: Question, b: Question): boolean {
  if (a.language === 'zh' || b.language === 'zh') {
    if (!sameSet(a.latin, b.latin)) return false;
  }
  return a.names.every((name) => b.text.includes(name)) && b.names.every((name) => a.text.includes(name));
}

/** Returns whether words of one replace words of the other, among others that they share. */
export function isSubstitution(a: Question, b: Question, { shared, onlyFirst, onlySecond }: Difference): boolean {
  if (onlyFirst.length === 0 || onlySecond.length === 0) return false;
  return shared.length * 3 >= Math.min(a.content.length, b.content.length);
}
