import type { MessageInitShape } from '@bufbuild/protobuf';
import { type AskResponseSchema, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage, UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { passageOf } from './documents.ts';

/** An event of an answer, as the stand-in sends it. */
export type AnswerEventInit = NonNullable<MessageInitShape<typeof AskResponseSchema>['event']>;

/** A stage that begins. */
export const begins = (stage: Stage): AnswerEventInit => ({
  case: 'stage',
  value: { stage, status: StageStatus.STARTED },
});

/** A stage that has ended. */
export const ends = (
  stage: Stage,
  latencyUs: number,
  detail = '',
  status: StageStatus = StageStatus.FINISHED,
): AnswerEventInit => ({ case: 'stage', value: { stage, status, latencyUs: BigInt(latencyUs), detail } });

/** Text. */
export const says = (text: string): AnswerEventInit => ({ case: 'textDelta', value: { text } });

/** The sources of the English answer. */
export const returnsSources = [
  passageOf('returns', 'The clock starts', '| as above |', ['How long you have']),
  passageOf('returns', 'Our warehouse inspects', 'credit cards 5–10.', ['When the money arrives'], 0.8),
  passageOf('returns', '1. Open **Orders**', 'works for 10 days.', ['Starting a return'], 0.6),
];

/** Up to the text: every stage of retrieval, and the sources. */
export const retrieval: AnswerEventInit[] = [
  begins(Stage.CACHE),
  ends(Stage.CACHE, 320, 'miss'),
  ends(Stage.REWRITE, 0, 'stands alone', StageStatus.SKIPPED),
  begins(Stage.VECTOR_SEARCH),
  begins(Stage.KEYWORD_SEARCH),
  ends(Stage.KEYWORD_SEARCH, 1450, '18 candidates'),
  ends(Stage.VECTOR_SEARCH, 3210, '50 candidates'),
  begins(Stage.RERANK),
  ends(Stage.RERANK, 2740, '3 passages'),
  { case: 'sources', value: { passages: returnsSources } },
  ends(Stage.PROMPT, 610, '1,204 tokens'),
  begins(Stage.GENERATE),
];

/** Text of the English answer, in the pieces in which it comes. */
export const returnsText = [
  'You can return most things within **15 days** of delivery; ',
  'textiles and anything bought as a Gold member within **30 days** [1].\n\n',
  '| What you bought | Window |\n|---|---|\n| Lamps, projectors, small appliances | 15 days |\n| Textiles | 30 days |\n\n',
  'To start:\n\n1. Open **Orders** and choose *Return*.\n2. Use the label of `RMA-26-004512` within 10 days [3].\n\n',
  'The refund is released when the parcel has been inspected, within 3 working days [2].',
];

const cites = (marker: number): AnswerEventInit => {
  const passage = returnsSources[marker - 1];
  if (passage === undefined) throw new Error(`no source ${marker}`);
  const { chunkId, documentId, title, url, corpus } = passage;
  return { case: 'citation', value: { marker, chunkId, documentId, title, url, corpus } };
};

/** After the text: citations, usage and the end. */
export const ending = (markers: number[] = [1, 3, 2]): AnswerEventInit[] => [
  ends(Stage.GENERATE, 412_000),
  ...markers.map(cites),
  {
    case: 'usage',
    value: {
      promptTokens: 1204n,
      completionTokens: 96n,
      costMicros: 2140n,
      currency: 'USD',
      provenance: UsageProvenance.REPORTED,
    },
  },
  {
    case: 'done',
    value: { outcome: AnswerOutcome.ANSWERED, model: 'extractive', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' },
  },
];

/** The whole English answer. */
export const returnsAnswer: AnswerEventInit[] = [...retrieval, ...returnsText.map(says), ...ending()];

/** A refusal. */
export const refusal: AnswerEventInit[] = [
  ...retrieval.filter((event) => event.case === 'stage'),
  says('I found nothing in the documents about the opening hours on the moon.'),
  { case: 'done', value: { outcome: AnswerOutcome.REFUSED, model: 'extractive' } },
];
