import {
  type DescMessage,
  type JsonReadOptions,
  type JsonWriteOptions,
  type Message,
  toJsonString,
} from '@bufbuild/protobuf';
import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import { toBytes } from '#kit/rpc/shared-message.ts';
import type { Sender } from '../http/sender.ts';
import { envelop, prefixLength } from './envelope.ts';

/** How messages are read and written as JSON. */
export type JsonOptions = Partial<JsonReadOptions & JsonWriteOptions>;

/** Where a streamed response can be written to directly; `undefined` where it cannot. */
export const laneKey = createContextKey<Sender | undefined>(undefined, { description: 'fast lane' });

/**
 * Streams messages out on a shorter way. The first message, messages that are to be compressed, errors and the end go through
 * Connect's handler, which decides on headers, status and trailers. The messages between look the same in all three
 * protocols (a flag, a length, the message), and each would pass a chain of six asynchronous generators there: they are
 * written straight to the response, in their order.
 */
export async function* throughLane<T extends Message>(
  messages: AsyncIterable<T>,
  schema: DescMessage,
  context: HandlerContext,
  compressMinBytes: number,
  jsonOptions: JsonOptions = {},
): AsyncGenerator<T> {
  const lane = context.values.get(laneKey);
  let encode: ((message: Message) => Buffer) | undefined;
  let isCompressed = false;
  for await (const message of messages) {
    // Headers are settled by the first message, so that is when to look at them.
    if (encode === undefined || lane === undefined) {
      yield message;
      const header = context.responseHeader;
      encode = encoderFor(header.get('content-type') ?? '', schema, jsonOptions);
      isCompressed = header.has('grpc-encoding') || header.has('connect-content-encoding');
      continue;
    }
    const envelope = encode(message);
    if (isCompressed && envelope.length - prefixLength >= compressMinBytes) {
      yield message;
      continue;
    }
    const behind = lane.send(envelope);
    if (behind !== undefined) await behind;
  }
}

function encoderFor(contentType: string, schema: DescMessage, jsonOptions: JsonOptions): (message: Message) => Buffer {
  if (contentType.endsWith('json'))
    return (message) => envelop(0, Buffer.from(toJsonString(schema, message, jsonOptions)));
  return (message) => envelop(0, toBytes(schema, message));
}
