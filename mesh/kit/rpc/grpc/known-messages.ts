import { type DescMessage, fromBinary, type Message } from '@bufbuild/protobuf';
import { LRUCache } from 'lru-cache';
import { shareMessage } from '../messages/shared-message.ts';

/** Bytes from which a message is worth keeping: to parse a shorter one costs no more than to find it. */
const minBytes = 256;
/** Messages up to this size are kept. */
const maxMessageBytes = 64 * 1024;
/** A message that is kept, with its bytes and its forms, takes about this many times its bytes. */
const sizeFactor = 6;

/** Reads the messages of a stream. A message that came before may be the same object, and must not be changed. */
export type ReadMessage = (bytes: Buffer) => Message;

/**
 * Returns a reader that knows the messages which came lately, by their bytes, within `maxBytes` by an estimate: the parts of a cached
 * answer come again for every caller. They are shared messages, so what a face makes of one is made once as well. A message is kept
 * when it comes for the second time; of the first time only its bytes are.
 */
export function createMessageReader(schema: DescMessage, maxBytes: number): ReadMessage {
  const known = new LRUCache<string, { message: Message | undefined }>({
    maxSize: maxBytes,
    sizeCalculation: (_, key) => key.length * sizeFactor,
  });
  return (bytes) => {
    if (bytes.length < minBytes || bytes.length > maxMessageBytes) return fromBinary(schema, bytes);
    const key = bytes.toString('latin1');
    const entry = known.get(key);
    if (entry?.message !== undefined) return entry.message;
    const message = fromBinary(schema, bytes);
    if (entry === undefined) known.set(key, { message: undefined });
    else entry.message = shareMessage(message);
    return message;
  };
}
