import { create } from '@bufbuild/protobuf';
import { type AskResponse, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { TextDeltaSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** Longest text that deltas are joined to, in UTF-16 code units. */
const maxJoinedLength = 16_384;

/**
 * Joins text deltas that are ready together into one, so that an answer which is already there leaves in few messages.
 * Nothing is held back for a delta that is still to come, and all else passes as it is, in its order.
 */
export async function* joinTextDeltas(events: AsyncIterable<AskResponse>): AsyncGenerator<AskResponse> {
  const iterator = events[Symbol.asyncIterator]();
  let finished = false;
  let next = iterator.next();
  try {
    for (;;) {
      const result = await next;
      if (result.done === true) {
        finished = true;
        return;
      }
      const { event } = result.value;
      if (event.case !== 'textDelta') {
        yield result.value;
        next = iterator.next();
        continue;
      }
      next = iterator.next();
      // An error is thrown in its turn; until then it may have no listener.
      next.catch(() => {});
      let { text } = event.value;
      let joined = false;
      while (text.length < maxJoinedLength) {
        const ready = await readyNow(next);
        if (ready === undefined || ready.done === true || ready.value.event.case !== 'textDelta') break;
        text += ready.value.event.value.text;
        joined = true;
        next = iterator.next();
        next.catch(() => {});
      }
      yield joined ? textDelta(text) : result.value;
    }
  } catch (error) {
    finished = true;
    throw error;
  } finally {
    // Not awaited: with a message still asked for, a source that listens to its signal alone ends by that.
    if (!finished) iterator.return?.().catch(() => {});
  }
}

function textDelta(text: string): AskResponse {
  return create(AskResponseSchema, { event: { case: 'textDelta', value: create(TextDeltaSchema, { text }) } });
}

// Returns the result of a promise that settles without waiting for input or timers; `undefined` if it does not, or if it
// fails. In a microtask, nextTick runs when the queue of microtasks is empty.
function readyNow<T>(promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    promise.then(resolve, () => resolve(undefined));
    process.nextTick(resolve, undefined);
  });
}
