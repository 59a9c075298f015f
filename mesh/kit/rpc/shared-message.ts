import { type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';

// Most messages are sent once. Those of a cached answer are sent thousands of times, the same object each time.

const kept = new WeakMap<Message, { bytes: Uint8Array | undefined }>();

/** Marks a message as one that is sent again and again: its bytes are made once. It must never change from now on. */
export function shareMessage<T extends Message>(message: T): T {
  if (!kept.has(message)) kept.set(message, { bytes: undefined });
  return message;
}

/** The bytes of a message; do not change them. */
export function toBytes(schema: DescMessage, message: Message): Uint8Array {
  const shared = kept.get(message);
  if (shared === undefined) return toBinary(schema, message);
  shared.bytes ??= toBinary(schema, message);
  return shared.bytes;
}
