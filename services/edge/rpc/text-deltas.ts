import { create } from '@bufbuild/protobuf';
import { type AskResponse, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { TextDeltaSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { readyNow } from '#kit/base/streams.ts';
import { takeReady } from '#kit/rpc/messages/ready-messages.ts';

/** Longest text that deltas are joined to, in UTF-16 code units. */
const maxJoinedLength = 16_384;

/**
 * Joins text deltas that are ready together into one, so that an answer which is already there leaves in few messages; messages that are
 * ready together come as one list. Nothing is held back for a delta that is still to come, and all else passes as it is, in its order.
 */
export async function* joinTextDeltas(events: AsyncIterable<AskResponse>): AsyncGenerator<readonly AskResponse[]> {
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
      const ready = [result.value, ...takeReady(iterator)];
      let following: typeof next | undefined;
      let joinedLength = 0;
      while (isText(ready.at(-1)) && joinedLength < maxJoinedLength) {
        following = iterator.next();
        // An error is thrown in its turn; until then it may have no listener.
        following.catch(() => {});
        const more = await readyNow(following);
        if (more === undefined || more.done === true || !isText(more.value)) break;
        following = undefined;
        joinedLength += textOf(more.value).length;
        ready.push(more.value, ...takeReady(iterator));
      }
      yield joinAdjacent(ready);
      next = following ?? iterator.next();
    }
  } catch (error) {
    finished = true;
    throw error;
  } finally {
    // Not awaited: with a message still asked for, a source that listens to its signal alone ends by that.
    if (!finished) iterator.return?.().catch(() => {});
  }
}

/** Returns the messages of lists, one by one. */
export async function* eachOf(lists: AsyncIterable<readonly AskResponse[]>): AsyncGenerator<AskResponse> {
  for await (const list of lists) yield* list;
}

function joinAdjacent(ready: readonly AskResponse[]): readonly AskResponse[] {
  if (!ready.some((response, index) => index > 0 && isText(response) && isText(ready[index - 1]))) return ready;
  const joined: AskResponse[] = [];
  let texts: string[] = [];
  let length = 0;
  const close = () => {
    if (texts.length > 0) joined.push(textDelta(texts.join('')));
    texts = [];
    length = 0;
  };
  for (const response of ready) {
    if (!isText(response)) {
      close();
      joined.push(response);
      continue;
    }
    const text = textOf(response);
    texts.push(text);
    length += text.length;
    if (length >= maxJoinedLength) close();
  }
  close();
  return joined;
}

function isText(response: AskResponse | undefined): boolean {
  return response?.event.case === 'textDelta';
}

function textOf({ event }: AskResponse): string {
  return event.case === 'textDelta' ? event.value.text : '';
}

function textDelta(text: string): AskResponse {
  return create(AskResponseSchema, { event: { case: 'textDelta', value: create(TextDeltaSchema, { text }) } });
}
