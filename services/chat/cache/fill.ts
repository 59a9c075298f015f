import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { type CacheService, type FillRequest, FillRequestSchema } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, AnswerEventSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** Records an answer into the cache while it is streamed, so that others can follow it. Never delays the answer. */
export interface CacheFill {
  /** Adds an event; events that are no part of an answer (stages) are left out. */
  add(response: AskResponse): void;
  /**
   * Ends the answer; resolves to whether the cache stored it. Rejects if the cache failed. `ttlSeconds`: its longest lifetime; 0: that of the
   * cache.
   */
  commit(done: AnswerDone, ttlSeconds?: number): Promise<boolean>;
  /** Ends the recording without an answer. */
  abandon(reason: string): void;
}

/** Opens the recording under a lease. `options` carries the caller's identity and a deadline, but not the caller's signal. */
export function openFill(
  cache: Pick<Client<typeof CacheService>, 'fill'>,
  leaseId: string,
  options: CallOptions,
): CacheFill {
  const queue: FillRequest[] = [create(FillRequestSchema, { part: { case: 'start', value: { leaseId } } })];
  let isClosed = false;
  let wake = () => {};

  async function* parts() {
    for (;;) {
      const part = queue.shift();
      if (part !== undefined) yield part;
      else if (isClosed) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  const filling = cache.fill(parts(), options).finally(() => {
    // Nothing reads the queue any more: a fill that has failed must not collect the rest of the answer.
    isClosed = true;
    queue.length = 0;
    wake();
  });
  filling.catch(() => {});

  const add = (request: FillRequest) => {
    if (isClosed) return;
    const joined = joinText(queue.at(-1), request);
    if (joined === undefined) queue.push(request);
    else queue[queue.length - 1] = joined;
    wake();
  };
  const close = (request: FillRequest) => {
    add(request);
    isClosed = true;
    wake();
  };

  return {
    add({ event }) {
      switch (event.case) {
        case 'sources':
        case 'textDelta':
        case 'reset':
        case 'citation':
        case 'verdicts':
        case 'usage':
          add(answerPart(event));
          break;
        default:
          break;
      }
    },
    async commit(done, ttlSeconds = 0) {
      add(answerPart({ case: 'done', value: done }));
      close(create(FillRequestSchema, { part: { case: 'commit', value: { ttlSeconds } } }));
      return (await filling).stored;
    },
    abandon: (reason) => close(create(FillRequestSchema, { part: { case: 'abandon', value: { reason } } })),
  };
}

// If the cache is behind, what waits grows by text alone and not by messages.
function joinText(last: FillRequest | undefined, added: FillRequest): FillRequest | undefined {
  if (last?.part.case !== 'answer' || added.part.case !== 'answer') return undefined;
  const [before, after] = [last.part.value.event, added.part.value.event];
  if (before.case !== 'textDelta' || after.case !== 'textDelta') return undefined;
  return answerPart({ case: 'textDelta', value: { text: before.value.text + after.value.text } });
}

type EventInit = NonNullable<MessageInitShape<typeof AnswerEventSchema>['event']>;

function answerPart(event: EventInit): FillRequest {
  const value = create(AnswerEventSchema, { event });
  return create(FillRequestSchema, { part: { case: 'answer', value } });
}
