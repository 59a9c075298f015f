import { type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';

// Most messages are sent once. Those of a cached answer are sent thousands of times, the same object each time: what a face makes of
// them (bytes, JSON, an event of a stream) is made once and sent as it is from then on.

const kept = new WeakMap<Message, Map<string, unknown>>();

/** Marks a message as one that is sent again and again: its forms are made once. It must never change from now on. */
export function shareMessage<T extends Message>(message: T): T {
  if (!kept.has(message)) kept.set(message, new Map());
  return message;
}

/** Returns whether a message is one that is sent again and again. */
export function isShared(message: Message): boolean {
  return kept.has(message);
}

/** Returns what `make` makes of a message; of a shared message it is made once for each `form`. Do not change it. */
export function formOf<M extends Message, T extends object | string>(
  message: M,
  form: string,
  make: (message: M) => T,
): T {
  const forms = kept.get(message);
  if (forms === undefined) return make(message);
  let made = forms.get(form) as T | undefined;
  if (made === undefined) {
    made = make(message);
    forms.set(form, made);
  }
  return made;
}

/** The bytes of a message; do not change them. */
export function toBytes(schema: DescMessage, message: Message): Uint8Array {
  return formOf(message, 'binary', (whole) => toBinary(schema, whole));
}
