import type { Client } from '@connectrpc/connect';
import type { ClaimService } from '#gen/ragmesh/chat/v1/claim_pb.ts';
import { SentenceSupport } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Measure, outcomeOf } from './measure.ts';

/** Measures the check of sentences. The margin is the score of a supported claim, and 1 minus the score of any other. */
export const measureVerifier = (
  claims: Pick<Client<typeof ClaimService>, 'checkClaim'>,
  timeoutMs: number,
): Measure => ({
  timeoutMs,
  isJudged: ({ claim }) => claim !== undefined,
  async ask({ text, claim }, _, options) {
    const { source = '', isSupported = false } = claim ?? {};
    const { support, score = 0.5 } = await claims.checkClaim({ claim: text, source }, options);
    const isRight = (support === SentenceSupport.SUPPORTED) === isSupported;
    return outcomeOf(Number(isRight), isSupported ? score : 1 - score);
  },
});
