import { SentenceAction, SentenceSupport, type SentenceVerdict } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** How far a sentence is supported, as in the texts. */
export type SupportName = 'supported' | 'number' | 'unsupported' | 'uncited';

/** Returns the name of a support. */
export function supportName(support: SentenceSupport): SupportName {
  switch (support) {
    case SentenceSupport.NUMBER_NOT_IN_SOURCE:
      return 'number';
    case SentenceSupport.UNSUPPORTED:
      return 'unsupported';
    case SentenceSupport.UNCITED:
      return 'uncited';
    default:
      return 'supported';
  }
}

/** Returns whether the passages speak against a sentence. */
export function isAgainst(support: SentenceSupport): boolean {
  return support === SentenceSupport.NUMBER_NOT_IN_SOURCE || support === SentenceSupport.UNSUPPORTED;
}

/** Returns how many sentences were replaced by a quotation, or not shown. */
export function countReplaced(verdicts: readonly SentenceVerdict[]): number {
  return verdicts.filter(({ action }) => action === SentenceAction.QUOTE || action === SentenceAction.WITHHOLD).length;
}
