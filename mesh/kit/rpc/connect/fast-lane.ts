import {
  type DescMessage,
  type JsonReadOptions,
  type JsonWriteOptions,
  type Message,
  toJsonString,
} from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { copyHeaders } from '../../http/server/headers.ts';
import type { Sender } from '../../http/server/sender.ts';
import { toBytes } from '../messages/shared-message.ts';
import type { ServerCall } from '../server-call.ts';
import { envelop, prefixLength } from './wire.ts';

/** How messages are read and written as JSON. */
export type JsonOptions = Partial<JsonReadOptions & JsonWriteOptions>;

/** How messages of a stream are written. */
export interface Lane {
  /** Writes them directly; `undefined`: all of them go through Connect's handler. */
  sender: Sender | undefined;
  schema: DescMessage;
  compressMinBytes: number;
  jsonOptions: JsonOptions;
}

/**
 * Streams messages by a shorter path. The first message, messages to compress, errors and the end go through Connect's handler,
 * which sets headers, status and trailers. The messages between have the same form in all three protocols (a flag, a length, the
 * message), and each would pass a chain of six asynchronous generators there: they are written directly to the response, in
 * order.
 */
export async function* throughLane(
  messages: AsyncIterable<Message>,
  call: ServerCall,
  context: HandlerContext,
  { sender, schema, compressMinBytes, jsonOptions }: Lane,
): AsyncGenerator<Message> {
  const header = context.responseHeader;
  let isBegun = false;
  let encode: ((message: Message) => Buffer) | undefined;
  let isCompressed = false;
  try {
    for await (const message of messages) {
      // Headers are settled by the first message.
      if (!isBegun) copyHeaders(call.sentHeader, header);
      isBegun = true;
      if (encode === undefined || sender === undefined) {
        yield message;
        encode = encoderFor(header.get('content-type') ?? '', schema, jsonOptions);
        isCompressed = header.has('grpc-encoding') || header.has('connect-content-encoding');
        continue;
      }
      const envelope = encode(message);
      if (isCompressed && envelope.length - prefixLength >= compressMinBytes) {
        yield message;
        continue;
      }
      const behind = sender.send(envelope);
      if (behind !== undefined) await behind;
    }
  } finally {
    if (!isBegun) copyHeaders(call.sentHeader, header);
    copyHeaders(call.sentTrailer, context.responseTrailer);
  }
}

function encoderFor(contentType: string, schema: DescMessage, jsonOptions: JsonOptions): (message: Message) => Buffer {
  if (contentType.endsWith('json'))
    return (message) => envelop(0, Buffer.from(toJsonString(schema, message, jsonOptions)));
  return (message) => envelop(0, toBytes(schema, message));
}
