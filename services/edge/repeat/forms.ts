import { toBinary } from '@bufbuild/protobuf';
import { LRUCache } from 'lru-cache';
import { type AnswerForm, AnswerFormSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { shareMessage } from '#kit/rpc/messages/shared-message.ts';

/** Questions that are remembered, and those that are not asked again as repeated ones for some time. */
const maxQuestions = 10_000;
/** Bytes of the forms that are kept; what faces make of them is a few times as much. */
const maxFormBytes = 32 << 20;
/**
 * Time for which a question is not asked again as a repeated one, in milliseconds: the first time, when what is known of it may only be old, and at
 * most. It is four times as long after each refusal without an answer between.
 */
const firstPauseMs = 50;
const longestPauseMs = 10_000;

/** What the edge knows of questions, by their names. It decides only how a question is asked: chat decides how it is answered. */
export interface Forms {
  /** Returns the form in which a question was answered; empty: it is not known yet. `undefined`: the question is one for Ask. */
  nameFor(question: string): string | undefined;
  /** Returns whether an answer from the cache would make the question one that is repeated. */
  mayLearn(question: string): boolean;
  learn(question: string): void;
  /** Returns a form that this or an earlier reply has brought, and keeps it for its question. */
  take(question: string, name: string, brought: readonly AnswerForm[]): AnswerForm | undefined;
  refuse(question: string): void;
}

/** Creates an empty memory. */
export function createForms(clock: () => number): Forms {
  const names = new LRUCache<string, string>({ max: maxQuestions });
  const forms = new LRUCache<string, AnswerForm>({
    maxSize: maxFormBytes,
    sizeCalculation: (form) => toBinary(AnswerFormSchema, form).byteLength,
  });
  const pauses = new LRUCache<string, { untilMs: number; lengthMs: number }>({ max: maxQuestions });
  return {
    nameFor(question) {
      const name = names.get(question);
      return name === undefined || name === '' || forms.has(name) ? name : '';
    },
    mayLearn: (question) => (pauses.get(question)?.untilMs ?? 0) <= clock(),
    learn: (question) => void names.set(question, ''),
    take(question, name, brought) {
      let form = forms.get(name);
      if (form === undefined) {
        form = brought.find((each) => each.form === name);
        if (form === undefined) return undefined;
        form.responses.map(shareMessage);
        forms.set(name, form);
      }
      if (names.get(question) !== name) names.set(question, name);
      pauses.delete(question);
      return form;
    },
    refuse(question) {
      names.delete(question);
      const last = pauses.get(question);
      // Of those that were asked together, the first refusal counts.
      if (last !== undefined && last.untilMs > clock()) return;
      const lengthMs = last === undefined ? firstPauseMs : Math.min(longestPauseMs, 4 * last.lengthMs);
      pauses.set(question, { untilMs: clock() + lengthMs, lengthMs });
    },
  };
}
