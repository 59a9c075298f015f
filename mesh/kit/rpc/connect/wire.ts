/** Bytes before a message on a stream of any of the three protocols: a byte of flags, and four of its length. */
export const prefixLength = 5;

/** A message as it goes over a stream. */
export function envelop(flags: number, data: Uint8Array): Buffer {
  const envelope = Buffer.allocUnsafe(prefixLength + data.length);
  envelope[0] = flags;
  envelope.writeUInt32BE(data.length, 1);
  envelope.set(data, prefixLength);
  return envelope;
}
