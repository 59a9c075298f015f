import { ConversationActSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { createRouter } from '../router.ts';
import { fit } from './fit.ts';
import type { Utterance } from './utterances.ts';

/** Parts of the phrasings; each is the test set of a model that was fitted to the others. */
const folds = 10;

/** A message with the act that a router gave it which has not seen its phrasing. */
export interface Judged extends Utterance {
  readonly routed: string;
}

/** Routes each message by a model that was fitted to the phrasings of the other folds. Takes some seconds of CPU. */
export function crossValidate(utterances: readonly Utterance[]): Judged[] {
  const acts = actsOf(utterances);
  const phrasings = [...new Set(utterances.map(({ phrasing }) => phrasing))];
  const foldOf = new Map(phrasings.map((phrasing, index) => [phrasing, index % folds]));
  return Array.from({ length: folds }, (_, fold) => fold).flatMap((fold) => {
    const isTest = ({ phrasing }: Utterance) => foldOf.get(phrasing) === fold;
    const model = fit(
      utterances.filter((utterance) => !isTest(utterance)),
      acts,
    );
    const route = createRouter(model);
    return utterances.filter(isTest).map((utterance) => ({
      ...utterance,
      routed: enumName(ConversationActSchema, route(utterance.text).act).toLowerCase(),
    }));
  });
}

/** Returns the acts of messages, in their order. */
export function actsOf(utterances: readonly Utterance[]): string[] {
  return [...new Set(utterances.map(({ act }) => act))];
}
