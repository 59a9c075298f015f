import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { answerByQuoting } from '../answer/answer.ts';
import { quoteWithContext, textOf } from '../answer/quotation.ts';
import { createPassageTexts } from '../passage/passage-texts.ts';
import { isBrief, readQuestions } from '../question/question.ts';
import { admissible } from '../rank/admissible.ts';
import { briefNames } from '../rank/brief.ts';
import { type Evidence, readEvidence, readPassages } from '../rank/evidence.ts';
import { featureNames } from '../rank/features.ts';
import {
  answerProbability,
  decisionFeatures,
  decisionNames,
  type ModelWeights,
  type Ranked,
  rankCandidates,
  trainedWeights,
  type Weights,
} from '../rank/model.ts';
import { type Example, hasForbidden, readExamples, shareOfFacts, withoutAnswer } from './examples.ts';
import { type DecisionCase, fitDecision, fitRanking, type RankingCase } from './fit.ts';

const foldCount = 5;
/** How often the subjects are divided into folds, each time in another way: one division alone may flatter. */
const cutCount = 3;
const rankPenalty = 0.002;
const decisionPenalty = 0.001;
/** The same for short questions, of which there are fewer. */
const briefPenalty = { rank: 0.02, decision: 0.01 };
/** Largest share of wrong answers among the questions that have one, and among those that have none. */
const maxWrong = 0.07;
const maxAnswered = 0.12;
/** Subjects that check the result and never train it: questions that customers reported, and a fifth of the others. */
const checked = new Set([
  'shop/open',
  'museum/museum',
  'software/software',
  'shop/delays',
  'shop/stores',
  'shop/membership',
  'rental/campsite',
  'library/影院',
]);
/** Other wordings of what customers reported, and the shortest questions about every page of the shop. They check too, each by itself. */
const apart = new Map([
  ['shop/variants', 'other wordings of reported questions'],
  ['shop/basics', 'short questions about whole pages'],
  ['shop/short', 'short questions that were written after the models'],
  ['shop/everyday', 'short questions in everyday words, written after the models'],
]);
/** The set of short questions trains their models only. */
const isOfShortSet = ({ subject }: Example) => subject === 'coach/coach';
const isChecked = ({ subject }: Example) => checked.has(subject) || apart.has(subject);

/** One question of an example, read with its evidence. */
interface Case {
  example: Example;
  evidence: Evidence;
  /** What each candidate's quotation is worth: share of facts; -1 if it has something forbidden. */
  worthOf(ranked: Ranked): number;
}

const nothing: ModelWeights = { rank: {}, decision: {}, bias: 0 };
const alike = (model: ModelWeights): Weights => ({ full: model, brief: model, threshold: 0 });
const zero = alike(nothing);
const readText = createPassageTexts(256 * 1024 * 1024);

function toCases(example: Example): Case[] {
  const read = readPassages(example.passages, readText);
  return readQuestions(example.text, example.language).map((question) => {
    const evidence = readEvidence(question, read);
    const known = new Map<unknown, number>();
    return {
      example,
      evidence,
      worthOf({ candidate }) {
        const found = known.get(candidate);
        if (found !== undefined) return found;
        const { heading, candidates } = quoteWithContext(evidence.question, candidate);
        const text = `${heading}\n${candidates.map((one) => textOf(one, evidence.question)).join('\n')}`;
        const worth = hasForbidden(example, text) ? -1 : shareOfFacts(example, text);
        known.set(candidate, worth);
        return worth;
      },
    };
  });
}

/**
 * Trains the models on some cases: those of short questions begin with the weights of all questions, which may be `known`, and move as far as
 * short ones need. The threshold is not set.
 */
function train(cases: readonly Case[], known?: ModelWeights): Weights {
  const full =
    known ??
    fit(
      cases.filter(({ example }) => !isOfShortSet(example)),
      nothing,
      { rank: rankPenalty, decision: decisionPenalty },
      -briefNames.length,
    );
  const brief = fit(
    cases.filter(({ evidence }) => isBrief(evidence.question)),
    full,
    briefPenalty,
  );
  return { full, brief, threshold: 0 };
}

function fit(
  cases: readonly Case[],
  prior: ModelWeights,
  penalty: { rank: number; decision: number },
  end?: number,
): ModelWeights {
  const ranking = featureNames.slice(0, end);
  const deciding = decisionNames.slice(0, end);
  const rankingCases = cases.flatMap(({ evidence, example, worthOf }): RankingCase[] => {
    const ranked = rankCandidates(evidence, zero);
    const worth = ranked.map(worthOf);
    const most = Math.max(0, ...worth);
    if (most === 0) return [];
    const count = worth.filter((one) => one === most).length;
    const target = worth.map((one) => (one === most ? 1 / count : 0));
    return [{ features: ranked.map(({ features }) => features.slice(0, end)), target, weight: example.weight }];
  });
  const priorRank = ranking.map((name) => prior.rank[name] ?? 0);
  const rank = toRecord(ranking, fitRanking(rankingCases, ranking.length, penalty.rank, priorRank));
  const half = alike({ ...nothing, rank });
  const decisionCases = cases.flatMap(({ evidence, example, worthOf }): DecisionCase[] => {
    const ranked = admissible(evidence, rankCandidates(evidence, half));
    const [best] = ranked;
    if (best === undefined) return [];
    return [
      {
        features: decisionFeatures(evidence, ranked).slice(0, end),
        isRight: worthOf(best) > 0,
        weight: example.weight,
      },
    ];
  });
  const priorDecision = [...deciding.map((name) => prior.decision[name] ?? 0), prior.bias];
  const decision = fitDecision(decisionCases, deciding.length, penalty.decision, priorDecision);
  return { rank, decision: toRecord(deciding, decision), bias: round(decision.at(-1) ?? 0) };
}

const round = (value: number): number => Number(value.toFixed(3));
const toRecord = (names: readonly string[], values: readonly number[]): Record<string, number> =>
  Object.fromEntries(names.map((name, at) => [name, round(values[at] ?? 0)]));

/** A question with the answer of weights that no question of its subject has trained. */
interface Held {
  /** Of an answer, highest over the questions of the message. */
  probability: number;
  /** Share of the facts that the answer would have; -1: it would have something forbidden. */
  worth: number;
  /** The answer that it would be. */
  text: string;
  example: Example;
}

/** Returns the fold of each subject in a division of the subjects. */
function foldsOf(subjects: readonly string[], cut: number): ReadonlyMap<string, number> {
  const random = seededRandom(cut + 1);
  const order = subjects.map((subject) => ({ subject, at: random() })).sort((a, b) => a.at - b.at);
  return new Map(order.map(({ subject }, index) => [subject, index % foldCount]));
}

/** Answers each question with weights that no question of its subject has trained. */
function holdOut(examples: readonly Example[], cases: readonly Case[], folds: ReadonlyMap<string, number>): Held[] {
  const foldOf = ({ subject }: Example) => folds.get(subject) ?? 0;
  const weightsOf = Array.from({ length: foldCount }, (_, fold) =>
    train(cases.filter(({ example }) => foldOf(example) !== fold)),
  );
  const parts = Map.groupBy(cases, ({ example }) => example);
  return examples.map((example): Held => {
    const weights = weightsOf[foldOf(example)] as Weights;
    const probability = Math.max(
      0,
      ...(parts.get(example) ?? []).map(({ evidence }) =>
        answerProbability(evidence, admissible(evidence, rankCandidates(evidence, weights)), weights),
      ),
    );
    const text = answerOf(example, weights) ?? '';
    return { probability, worth: hasForbidden(example, text) ? -1 : shareOfFacts(example, text), text, example };
  });
}

/** Returns the answer to an example; `undefined`: it is refused. */
function answerOf({ text, passages, language }: Example, weights: Weights): string | undefined {
  const answer = answerByQuoting(text, passages, language, readText, weights);
  return answer.isRefusal ? undefined : answer.pieces.join('');
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Returns the shares of right, partly right and wrong answers, and of unanswerable and removed questions that are answered. */
function sharesAt(held: readonly Held[], threshold: number) {
  const isGiven = ({ probability }: Held) => probability >= threshold;
  const share = (list: readonly Held[], counts: (one: Held) => boolean) =>
    list.filter((one) => isGiven(one) && counts(one)).length / (list.length || 1);
  const answerable = held.filter(({ example }) => example.facts.length > 0);
  const none = held.filter(({ example }) => example.facts.length === 0 && example.kind !== 'removed');
  const removed = held.filter(({ example }) => example.kind === 'removed');
  return {
    right: share(answerable, ({ worth }) => worth === 1),
    partly: share(answerable, ({ worth }) => worth > 0 && worth < 1),
    wrong: share(answerable, ({ worth }) => worth <= 0),
    none: share(none, () => true),
    removed: share(removed, () => true),
  };
}

const describe = ({ right, partly, wrong, none, removed }: ReturnType<typeof sharesAt>): string =>
  `right ${percent(right)}, partly ${percent(partly)}, wrong ${percent(wrong)}; answered without an answer ${percent(none)}, with the page removed ${percent(removed)}`;

function printCurve(held: readonly Held[]): void {
  for (let threshold = 0.1; threshold < 0.9; threshold += 0.05) {
    process.stdout.write(`at ${threshold.toFixed(2)}: ${describe(sharesAt(held, threshold))}\n`);
  }
}

/** Returns the least threshold at which held-out answers are wrong rarely enough. */
function chooseThreshold(held: readonly Held[]): number {
  for (let threshold = 0.2; threshold < 0.95; threshold += 0.01) {
    const { wrong, none } = sharesAt(held, threshold);
    if (wrong <= maxWrong && none <= maxAnswered) return round(threshold);
  }
  return 0.95;
}

/** Prints what held-out subjects get, for several divisions, and returns the threshold at which they are wrong rarely enough. */
function chooseByHoldOut(examples: readonly Example[], cases: readonly Case[]): number {
  const subjects = [...new Set(examples.map(({ subject }) => subject))].sort();
  const cuts = Array.from({ length: cutCount }, (_, cut) => holdOut(examples, cases, foldsOf(subjects, cut)));
  const held = cuts.flat();
  printCurve(held);
  const threshold = chooseThreshold(held);
  for (const [cut, list] of cuts.entries())
    process.stdout.write(`cut ${cut + 1} at ${threshold}: ${describe(sharesAt(list, threshold))}\n`);
  process.stdout.write(`all cuts: ${describe(sharesAt(held, threshold))}\n`);
  report(
    held.slice(0, examples.length).map(({ example, probability, text }) => ({
      example,
      text: probability >= threshold ? text : undefined,
    })),
  );
  return threshold;
}

function main(path: string, isShortOnly: boolean): void {
  const all = readExamples(path);
  const own = all.filter((example) => !isChecked(example));
  const removed = own.flatMap((example) => withoutAnswer(example) ?? []);
  const cases = [...own, ...removed].flatMap(toCases);
  const weights = isShortOnly
    ? { ...train(cases, trainedWeights.full), threshold: trainedWeights.threshold }
    : { ...train(cases), threshold: chooseByHoldOut([...own, ...removed], cases) };
  const answers = (list: readonly Example[]) => list.map((example) => ({ example, text: answerOf(example, weights) }));
  process.stdout.write('subjects that never train:\n');
  report(answers(all.filter(({ subject }) => checked.has(subject))));
  for (const [name, title] of apart) {
    process.stdout.write(`${title}:\n`);
    report(answers(all.filter(({ subject }) => subject === name)));
  }
  const file = fileURLToPath(new URL('../rank/weights.json', import.meta.url));
  writeFileSync(file, `${JSON.stringify(weights, undefined, 2)}\n`);
  process.stdout.write(`threshold ${weights.threshold}; wrote ${file}\n`);
}

/** Prints what questions get, by their kinds. */
function report(answers: readonly { example: Example; text: string | undefined }[]): void {
  const rows = new Map<string, string[]>();
  for (const { example, text } of answers) {
    const verdict = verdictOf(example, text);
    for (const name of [groupOf(example), `  ${example.kind}`]) rows.set(name, [...(rows.get(name) ?? []), verdict]);
  }
  for (const [name, verdicts] of [...rows].sort()) {
    const cells = [...Map.groupBy(verdicts, (verdict) => verdict)].map(
      ([verdict, { length }]) => `${verdict} ${length} (${percent(length / verdicts.length)})`,
    );
    process.stdout.write(`${name.padEnd(18)} ${String(verdicts.length).padStart(4)}  ${cells.sort().join('  ')}\n`);
  }
}

function groupOf({ facts, kind }: Example): string {
  if (facts.length > 0) return 'answerable';
  return kind === 'removed' ? 'page removed' : 'not answerable';
}

function verdictOf(example: Example, text: string | undefined): string {
  if (text === undefined) return example.facts.length > 0 ? 'refused' : 'right';
  const share = shareOfFacts(example, text);
  if (share === 0 || hasForbidden(example, text)) return 'wrong';
  return share === 1 ? 'right' : 'partly';
}

const [, , evidence, option] = process.argv;
if (evidence === undefined || (option !== undefined && option !== '--short')) {
  process.stderr.write(
    'npm run train:answers -- <evidence> [--short]: first npm run eval -- answers --write-evidence <evidence>\n' +
      '--short: only the models of short questions, from the present ones of all questions\n',
  );
  process.exitCode = 1;
} else main(evidence, option === '--short');
