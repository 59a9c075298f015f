import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type ReadyMessages, takeReady } from '#kit/rpc/messages/ready-messages.ts';

/** The events of an answer. No generator, which would cost several promises an event. */
export type Responses = AsyncIterableIterator<AskResponse> & ReadyMessages<AskResponse>;

/** Returns the events that `open` resolves to: all of them as a list, or a stream. It is opened when it is first read. */
export function openLater(open: () => Promise<readonly AskResponse[] | AsyncIterable<AskResponse>>): Responses {
  let ready: readonly AskResponse[] = [];
  let stream: AsyncIterator<AskResponse> | undefined;
  let opening: Promise<void> | undefined;
  const begin = async () => {
    const opened = await open();
    if (Symbol.asyncIterator in opened) stream = opened[Symbol.asyncIterator]();
    else ready = opened;
  };
  const take = (): readonly AskResponse[] => {
    if (stream !== undefined) return takeReady(stream);
    const all = ready;
    ready = [];
    return all;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      opening ??= begin();
      await opening;
      if (stream !== undefined) return stream.next();
      const [first, ...others] = ready;
      ready = others;
      return first === undefined ? { done: true, value: undefined } : { done: false, value: first };
    },
    takeReady: take,
    async return() {
      opening ??= Promise.resolve();
      ready = [];
      await stream?.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** Returns the same events; calls `see` with each that may be the last one, when it is read. */
export function watched(responses: AsyncIterable<AskResponse>, see: (response: AskResponse) => void): Responses {
  const iterator = responses[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const result = await iterator.next();
      if (result.done !== true) see(result.value);
      return result;
    },
    takeReady() {
      const ready = takeReady(iterator);
      const last = ready.at(-1);
      if (last !== undefined) see(last);
      return ready;
    },
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}
