import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { type AnswerForm, AnswerFormSchema, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { withOwnParts } from '#kit/answers/repeat.ts';
import type { Given } from '../repeats.ts';

const forms = new WeakMap<Given, AnswerForm>();

/** Returns the form of an answer. It is made once, and the same on every replica. */
export function formOfGiven(given: Given): AnswerForm {
  let form = forms.get(given);
  if (form === undefined) {
    const responses = withOwnParts(given.responses, { answerId: '', latencyUs: 0 });
    const hash = createHash('sha256');
    for (const response of responses) {
      const bytes = toBinary(AskResponseSchema, response);
      hash.update(`${bytes.byteLength}:`).update(bytes);
    }
    form = create(AnswerFormSchema, { form: hash.digest('hex'), responses });
    forms.set(given, form);
  }
  return form;
}
