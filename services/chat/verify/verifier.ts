import { ClaimFault, SentenceSupport } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type ClaimSources, createClaimComparison } from './claims.ts';
import { readPassage } from './passage.ts';
import { claimOf } from './sentences.ts';
import { supportOf } from './support.ts';

/** The verdict on a sentence. */
export interface SentenceCheck {
  support: SentenceSupport;
  /** Share that its passages support, 0 to 1; `undefined` if it was not measured. */
  score: number | undefined;
  /** What is wrong with it. */
  fault: ClaimFault | undefined;
}

/** Compares a sentence with the passages that its markers name; `undefined` if it says nothing. */
export type Verifier = (sentence: string, markers: readonly number[]) => SentenceCheck | undefined;

/** Creates the comparison of sentences with passages, without a model. `minSupport`: the lowest score of a supported sentence. */
export function createVerifier(sources: ClaimSources, minSupport: number): Verifier {
  const compare = createClaimComparison(sources);
  return (sentence, markers) => {
    const claim = claimOf(sentence);
    if (!/[\p{L}\p{N}]/u.test(claim)) return undefined;
    const { fault, isQuotation } = compare(claim, markers);
    if (fault === ClaimFault.FACT) return { support: SentenceSupport.NUMBER_NOT_IN_SOURCE, score: 0, fault };
    if (fault !== undefined) return { support: SentenceSupport.UNSUPPORTED, score: 0, fault };
    if (markers.length === 0) return { support: SentenceSupport.UNCITED, score: undefined, fault };
    const cited = markers.map((marker) => sources.passages[marker - 1] as Passage);
    const score = isQuotation ? 1 : supportOf(claim, cited.map(readPassage));
    return (score ?? 1) < minSupport
      ? { support: SentenceSupport.UNSUPPORTED, score, fault: ClaimFault.SUPPORT }
      : { support: SentenceSupport.SUPPORTED, score, fault: undefined };
  };
}
