import { create } from '@bufbuild/protobuf';
import { SentenceSupport } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { createVerifier } from './verifier.ts';

/** Compares one claim with one source, for measuring the verifier. */
export function verifyClaim(claim: string, source: string) {
  const passages = [passageOf(source)];
  const check = createVerifier({ passages, questions: [''] }, 0)(claim, [1]);
  return { score: check?.score, isNumberAlarm: check?.support === SentenceSupport.NUMBER_NOT_IN_SOURCE };
}

// Claims of one source come in a row, and a passage is read once.
let last = create(PassageSchema);
function passageOf(source: string) {
  if (last.text !== source) last = create(PassageSchema, { text: source });
  return last;
}
