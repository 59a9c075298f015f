import { ClaimFault } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type Fact, type FactSet, holdsFact, readClaimFacts, toFactSet } from '#kit/text/facts/fact-set.ts';
import type { Amount } from '#kit/text/facts/units-compare.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { amountsOf, isComputed, saysComputation } from './computed.ts';
import { contradicts } from './denials.ts';
import { lazy, quotes, readPassage } from './passage.ts';

/** What a claim is compared with. */
export interface ClaimSources {
  /** The passages that the model had; marker [n] names the n-th, from 1. */
  passages: readonly Passage[];
  /** The question as it was asked, and the standalone question: the answer may repeat their facts. */
  questions: readonly string[];
}

/** The result of a comparison. */
export interface ComparedClaim {
  /** What is wrong; `undefined` if nothing is. */
  fault: ClaimFault | undefined;
  /** Whether a cited passage has the claim word for word. */
  isQuotation: boolean;
}

/** Compares a claim, without its markers, with the passages that its markers name. */
export type CompareClaim = (claim: string, markers: readonly number[]) => ComparedClaim;

/**
 * Creates the comparison of claims with passages: numbers with their units, amounts, dates, times, codes and addresses must be in the cited
 * passages (or in the question), or follow from them by a computation, and a claim must not deny what they state. A claim that cites nothing must have all of its facts in one
 * passage.
 */
export function createClaimComparison({ passages, questions }: ClaimSources): CompareClaim {
  const question = lazy(() => toFactSet(questions.join('\n')));
  const standalone = lazy(() => normalizeText(questions.at(-1) ?? '', foldTraditional));
  return (claim, markers) => {
    const cited = markers.map((number) => passages[number - 1] as Passage);
    const normal = normalizeText(claim, foldTraditional);
    // Nothing in a quotation can differ.
    if (cited.some((passage) => quotes(passage, normal))) return { fault: undefined, isQuotation: true };
    const facts = readClaimFacts(claim).filter((fact) => !holdsFact(question(), fact));
    if (facts.length > 0) {
      const sets = (cited.length > 0 ? cited : passages).map((passage) => () => readPassage(passage).facts());
      const isHeld = cited.length > 0 ? isHeldByAll(facts, sets) : sets.some((set) => isHeldByAll(facts, [set]));
      if (!isHeld && !isComputedFrom(facts, sets, claim, questions, cited))
        return { fault: ClaimFault.FACT, isQuotation: false };
    }
    const isDenied = cited.length > 0 && contradicts(normal, cited.map(readPassage), standalone());
    return { fault: isDenied ? ClaimFault.NEGATION : undefined, isQuotation: false };
  };
}

/** Returns whether each fact is in one of the sets. */
function isHeldByAll(facts: readonly Fact[], sets: readonly (() => FactSet)[]): boolean {
  return facts.every((fact) => sets.some((set) => holdsFact(set(), fact)));
}

/** Returns whether each fact that no set has is the result of a computation with amounts of the claim, the question and the cited passages. */
function isComputedFrom(
  facts: readonly Fact[],
  sets: readonly (() => FactSet)[],
  claim: string,
  questions: readonly string[],
  cited: readonly Passage[],
): boolean {
  if (cited.length === 0) return false;
  const missing = facts.filter((fact) => !sets.some((set) => holdsFact(set(), fact)));
  const results = missing.flatMap((fact) => (fact.kind === 'amount' ? [fact.amount] : []));
  if (results.length < missing.length) return false;
  const isResult = ({ value, dimension }: Amount) =>
    results.some((result) => result.value === value && result.dimension === dimension);
  const operands = {
    stated: amountsOf(claim).filter((amount) => !isResult(amount)),
    asked: questions.flatMap(amountsOf),
    cited: cited.flatMap((passage) => readPassage(passage).amounts()),
    isSaid: saysComputation(claim),
  };
  return results.every((result) => isComputed(result, operands));
}
