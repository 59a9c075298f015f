import type { Client } from '@connectrpc/connect';
import type { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { AnswerForm, RepeatRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { backgroundCall } from '../../answer/background.ts';
import type { AskDeps } from '../../ask/ask.ts';
import { createDriver } from '../../ask/driver.ts';
import type { Given } from '../repeats.ts';
import { findGiven } from './find-given.ts';
import { formOfGiven } from './forms.ts';
import { joinRecords } from './join-records.ts';

/** What giving answers again needs. */
export type RepeatDeps = AskDeps & { clients: { audit: Pick<Client<typeof AuditService>, 'record' | 'recordAll'> } };

/**
 * Creates the rpc Repeat. An answer is given again if Ask would give the same one from the cache; then it has the records and is in the metrics
 * of one that Ask has given. All else is for Ask, and has left nothing behind.
 */
export function createRepeat(deps: RepeatDeps) {
  return async ({ asks }: RepeatRequest, context: CallContext) => {
    // What is masked is for its caller.
    if (deps.masksOf(context.principal) !== undefined) return { answers: asks.map(() => ({})) };
    const audit = joinRecords(deps.clients.audit, backgroundCall(context, deps.settings.recordTimeoutMs));
    const clients = { ...deps.clients, audit };
    const drivers = asks.map(({ request, traceId }) =>
      createDriver({ ...deps, clients }, { question: request?.question ?? '', isTest: false }, context, traceId),
    );
    const requests = asks.flatMap(({ request }) => request ?? []);
    const found = await findGiven(deps, requests, context);
    const forms = new Map<string, AnswerForm>();

    const answer = async (given: Given | undefined, index: number) => {
      const driver = drivers[index];
      if (given === undefined || driver === undefined) return {};
      const form = formOfGiven(given);
      if (asks[index]?.form !== form.form) forms.set(form.form, form);
      try {
        const { answerId, latencyUs } = driver.repeat(given);
        return { form: form.form, answerId, latencyUs: BigInt(latencyUs), ending: [...(await driver.end())] };
      } finally {
        driver.close();
      }
    };
    const answers = await Promise.all(found.map(answer));
    return { answers, forms: [...forms.values()] };
  };
}
