import { quoteWithContext } from '../answer/quotation.ts';
import { showsKind } from '../question/kinds.ts';
import type { Question, Term } from '../question/question.ts';
import { type Role, rolesOf } from '../question/roles.ts';
import type { Candidate, Evidence } from './evidence.ts';

// What a question asks for and the quotation lacks. A missing noun is another thing; a missing verb is often said in other words.

const missingNames = [
  'nounMissing',
  'nounUnknown',
  'verbMissing',
  'qualifierMissing',
  'qualifierUnknown',
  'ofMissing',
  'compoundMissing',
] as const;

/** Names of the features, in the order of {@link aspectsOf}. Each is 0 to 1. */
export const aspectNames = [
  'shapeShown',
  'shapeHidden',
  'kindQuoted',
  'kindUnquoted',
  ...missingNames,
  'quoted',
] as const;

/** A term matches the quotation from here on; below the second value it is missing. */
const found = 0.6;
const absent = 0.3;

/** Returns the features of a quotation that begins with the best candidate. */
export function aspectsOf(evidence: Evidence, best: Candidate): number[] {
  const { question, weights, known } = evidence;
  const { heading, candidates } = quoteWithContext(question, best);
  const written = `${best.source.passage.title}\n${heading}\n${candidates.map(({ unit }) => unit.text).join('\n')}`;
  const plain = candidates
    .map(({ text, source, index }) => `${source.text.headings[index]?.plain ?? ''}\n${text.plain}`)
    .join('\n');
  const { shape } = question;
  const isNumberRow = best.unit.kind === 'row' && /\d/.test(best.unit.text);
  const isShown =
    shape !== undefined &&
    (isNumberRow || shape.shown.test(plain) || (shape.written?.test(withoutNames(written, question)) ?? false));
  const matches = question.terms.map((_, at) =>
    Math.max(best.titled[at] as number, ...candidates.map(({ near }) => near[at] as number)),
  );
  const roles = rolesOf(question);
  const total = question.terms.reduce((sum, { isFocus }, at) => sum + (isFocus ? (weights[at] as number) : 0), 0) || 1;
  const hasKind = question.wants !== undefined && showsKind(question.wants, plain);
  const isAnswered = isShown || question.wants === undefined || hasKind;
  const most = {
    nounMissing: 0,
    nounUnknown: 0,
    verbMissing: 0,
    qualifierMissing: 0,
    qualifierUnknown: 0,
    ofMissing: 0,
    compoundMissing: 0,
  };
  let quoted = 0;
  for (const [at, term] of question.terms.entries()) {
    if (!term.isFocus) continue;
    const role = roles[at] as Role;
    const match = role.isAnswerKind && isAnswered ? 1 : (matches[at] as number);
    const weight = weights[at] as number;
    quoted += match * weight;
    if (match >= found) continue;
    const next = role.next === undefined ? 0 : (matches[role.next] as number);
    const missing = {
      term,
      role,
      weight: Math.min(1, (weight * (1 - match)) / 5),
      isUnknown: (known[at] as number) < absent,
    };
    const values = missingOf(missing, next >= found);
    for (const name of missingNames) most[name] = Math.max(most[name], values[name]);
  }
  return [
    Number(isShown),
    Number(shape !== undefined && !isShown),
    Number(hasKind),
    Number(question.wants !== undefined && !hasKind),
    ...missingNames.map((name) => most[name]),
    quoted / total,
  ];
}

/** Returns what a missing term counts as. `isNextFound`: the quotation has the word that follows it. */
function missingOf(
  { term, role, weight, isUnknown }: { term: Term; role: Role; weight: number; isUnknown: boolean },
  isNextFound: boolean,
): Record<(typeof missingNames)[number], number> {
  const isNoun = role.kind === 'noun';
  const isStrange = isNoun && isUnknown && term.weight >= 0.9;
  return {
    nounMissing: isNoun ? weight : 0,
    nounUnknown: isNoun && isUnknown ? weight : 0,
    verbMissing: isNoun ? 0 : weight,
    qualifierMissing: Number(isNoun && isNextFound),
    qualifierUnknown: Number(isStrange && isNextFound),
    ofMissing: Number(isStrange && role.isOf),
    compoundMissing: Number(isNoun && term.isHan && term.text.length === 1 && role.isBeside),
  };
}

/** Returns a text without the names that the question says itself: they are no answer to "who". */
function withoutNames(text: string, { text: question }: Question): string {
  const names = question.match(/\p{Lu}[\p{L}'-]+(?: \p{Lu}[\p{L}'-]+)*/gu) ?? [];
  return names.reduce((rest, name) => rest.replaceAll(name, '-'), text);
}
