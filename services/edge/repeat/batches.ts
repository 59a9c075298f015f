import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { ChatService, RepeatedAnswer, RepeatedAskSchema, RepeatResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';

type RepeatedAskInit = MessageInitShape<typeof RepeatedAskSchema>;

/** Questions of one caller that leave together. */
interface Batch {
  readonly asks: RepeatedAskInit[];
  readonly response: Promise<RepeatResponse>;
}

/** The reply to a question of a batch, with all of that batch. */
export interface Replied {
  readonly answer: RepeatedAnswer;
  readonly batch: RepeatResponse;
}

/** The contract's limit. */
const maxAsks = 64;

/**
 * Creates a function that sends questions that were answered before. Those that one caller, named by its `authorization`, asks in one turn of
 * the event loop leave in one call. Resolves to `undefined` for a question that is one for Ask; rejects if the call fails.
 */
export function createBatches(chat: Pick<Client<typeof ChatService>, 'repeat'>) {
  // Bounded by the callers of one turn.
  const open = new Map<string, Batch>();

  const begin = (authorization: string): Batch => {
    const asks: RepeatedAskInit[] = [];
    const send = async () => {
      await new Promise(setImmediate);
      if (open.get(authorization)?.asks === asks) open.delete(authorization);
      return chat.repeat({ asks }, { headers: { authorization } });
    };
    const batch = { asks, response: send() };
    open.set(authorization, batch);
    return batch;
  };

  return async (authorization: string, ask: RepeatedAskInit): Promise<Replied | undefined> => {
    let batch = open.get(authorization);
    if (batch === undefined || batch.asks.length >= maxAsks) batch = begin(authorization);
    const index = batch.asks.push(ask) - 1;
    const response = await batch.response;
    const answer = response.answers[index];
    return answer === undefined || answer.form === '' ? undefined : { answer, batch: response };
  };
}
