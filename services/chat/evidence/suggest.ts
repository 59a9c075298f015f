import { create } from '@bufbuild/protobuf';
import { type Suggestions, SuggestionsSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { AskEvent } from '../answer/events.ts';
import type { AnswerState } from '../answer/state.ts';
import { suggestQuestions } from './suggestions.ts';

// The passages of a cached answer are the same objects each time, and so is its question but for its spelling.
const known = new WeakMap<readonly Passage[], Suggestions>();

/** Yields the questions to ask next after a whole answer or a refusal, if the found passages have any. */
export function* suggest({ outcome, standalone, passages, citations }: AnswerState): Generator<AskEvent> {
  if (outcome !== AnswerOutcome.ANSWERED && outcome !== AnswerOutcome.REFUSED) return;
  let value = known.get(passages);
  if (value === undefined) {
    value = create(SuggestionsSchema, { questions: suggestQuestions(standalone, passages, citations) });
    known.set(passages, value);
  }
  if (value.questions.length > 0) yield { case: 'suggestions', value };
}
