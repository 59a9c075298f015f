import { create } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { type CacheService, type FillRequest, FillRequestSchema } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, AnswerEventSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** Records an answer into the cache while it is streamed, so that others can follow it. Never holds the answer up. */
export interface Recorder {
  /** Adds an event; what is no part of an answer (stages) is left out. */
  record(response: AskResponse): void;
  /** The answer is whole; resolves to whether it was stored. Rejects where the cache failed. */
  commit(done: AnswerDone): Promise<boolean>;
  /** There will be no answer. */
  abandon(reason: string): void;
}

/** Opens the recording of a lease. `options` carries the caller and a deadline, but not the caller's signal. */
export function createRecorder(cache: Client<typeof CacheService>, leaseId: string, options: CallOptions): Recorder {
  const queue: FillRequest['part'][] = [{ case: 'start', value: { leaseId } as never }];
  let isClosed = false;
  let wake = () => {};

  async function* parts() {
    for (;;) {
      const part = queue.shift();
      if (part !== undefined) yield create(FillRequestSchema, { part });
      else if (isClosed) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  const filling = cache.fill(parts(), options).finally(() => {
    // Nobody takes what comes now: a fill that has failed must not gather the rest of the answer.
    isClosed = true;
    queue.length = 0;
    wake();
  });
  filling.catch(() => {});

  const add = (part: FillRequest['part']) => {
    if (isClosed) return;
    const last = queue.at(-1);
    if (part.case === 'answer' && last?.case === 'answer') {
      const [event, before] = [part.value.event, last.value.event];
      if (event.case === 'textDelta' && before.case === 'textDelta') {
        // The cache is behind: what waits grows by text alone, not by messages.
        const text = before.value.text + event.value.text;
        queue[queue.length - 1] = answerPart({ case: 'textDelta', value: { text } });
        return;
      }
    }
    queue.push(part);
    wake();
  };
  const close = (part: FillRequest['part']) => {
    add(part);
    isClosed = true;
    wake();
  };

  return {
    record({ event }) {
      switch (event.case) {
        case 'sources':
        case 'textDelta':
        case 'reset':
        case 'citation':
        case 'usage':
          add(answerPart(event));
          break;
        default:
          break;
      }
    },
    async commit(done) {
      add(answerPart({ case: 'done', value: done }));
      close({ case: 'commit', value: {} as never });
      return (await filling).stored;
    },
    abandon: (reason) => close({ case: 'abandon', value: { reason } as never }),
  };
}

type EventInit = NonNullable<Parameters<typeof create<typeof AnswerEventSchema>>[1]>['event'];

function answerPart(event: EventInit): FillRequest['part'] {
  return { case: 'answer', value: create(AnswerEventSchema, { event }) };
}
