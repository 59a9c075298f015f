import { create } from '@bufbuild/protobuf';
import { SentenceSupport } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { createVerifier, type SentenceCheck } from './verifier.ts';

/** Compares one claim with one source, for measuring the verifier. */
export function verifyClaim(claim: string, source: string) {
  const check = checkClaim(claim, source, 0);
  return { score: check?.score, isNumberAlarm: check?.support === SentenceSupport.NUMBER_NOT_IN_SOURCE };
}

/** Compares a claim with the one source that it cites; `undefined` if it says nothing. `minSupport`: the lowest score of a supported claim. */
export function checkClaim(claim: string, source: string, minSupport: number): SentenceCheck | undefined {
  return createVerifier({ passages: [passageOf(source)], questions: [''] }, minSupport)(claim, [1]);
}

// Claims of one source come in a row, and a passage is read once.
let last = create(PassageSchema);
function passageOf(source: string) {
  if (last.text !== source) last = create(PassageSchema, { text: source });
  return last;
}
