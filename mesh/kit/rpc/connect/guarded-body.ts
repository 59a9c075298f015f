import type { DescMessage, DescMethod } from '@bufbuild/protobuf';
import { invalidArgument, tooLarge } from '../../base/errors.ts';
import { checkJson } from '../../http/server/json-bounds.ts';
import { checkWire } from '../../http/server/wire-bounds.ts';
import type { RequestBounds } from '../policy.ts';
import { inflate, isCompression } from './compression.ts';
import { envelop, prefixLength } from './wire.ts';

/** Bit of an envelope's flags that says its message is compressed. */
const compressedFlag = 1;

/** Refuses a message that is too large, or that would be expensive to parse. Throws RESOURCE_EXHAUSTED or INVALID_ARGUMENT. */
export function checkMessage(schema: DescMessage, bytes: Uint8Array, isJson: boolean, bounds: RequestBounds): void {
  const { maxBytes, maxValues } = bounds;
  if (bytes.length > maxBytes) throw tooLarge('the message', maxBytes);
  if (isJson) checkJson(bytes, maxValues);
  else checkWire(schema, bytes, maxValues);
}

/**
 * Puts bounds on the messages of a request before Connect's handlers parse them: size, ratio of compression, depth, number of
 * values. Compressed messages leave it decompressed, so that they are decompressed once. Removes the headers that described the
 * compression of a body that is one message. Protocol errors pass: Connect's handlers report them.
 */
export function guardBody(
  { input }: DescMethod,
  header: Headers,
  body: AsyncIterable<Uint8Array>,
  bounds: RequestBounds,
): AsyncIterable<Uint8Array> {
  const contentType = header.get('content-type') ?? '';
  const isJson = contentType.includes('json');
  const check = (bytes: Uint8Array) => checkMessage(input, bytes, isJson, bounds);
  const { maxBytes } = bounds;
  if (/^application\/(grpc|connect\+)/.test(contentType)) {
    return guardEnvelopes(body, header.get('grpc-encoding') ?? header.get('connect-content-encoding'), maxBytes, check);
  }
  const encoding = header.get('content-encoding');
  const declaredBytes = Number(header.get('content-length') ?? 0);
  // Connect's handler would refuse a size itself, without a reason.
  header.delete('content-length');
  if (isCompression(encoding)) header.delete('content-encoding');
  return guardWhole(body, { encoding, declaredBytes, maxBytes, check });
}

type Check = (message: Uint8Array) => void;

async function* guardWhole(
  body: AsyncIterable<Uint8Array>,
  guard: { encoding: string | null; declaredBytes: number; maxBytes: number; check: Check },
): AsyncGenerator<Uint8Array> {
  const { encoding, declaredBytes, maxBytes, check } = guard;
  if (declaredBytes > maxBytes) throw tooLarge('the message', maxBytes);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw tooLarge('the message', maxBytes);
    chunks.push(chunk);
  }
  const raw = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, sizeBytes);
  const message = isCompression(encoding) ? await inflate(encoding, raw, maxBytes) : raw;
  check(message);
  yield message;
}

async function* guardEnvelopes(
  body: AsyncIterable<Uint8Array>,
  encoding: string | null,
  maxBytes: number,
  check: Check,
): AsyncGenerator<Uint8Array> {
  let chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  let neededBytes = prefixLength;
  for await (const chunk of body) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    while (sizeBytes >= neededBytes) {
      const joined = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, sizeBytes);
      const length = new DataView(joined.buffer, joined.byteOffset, joined.byteLength).getUint32(1);
      if (length > maxBytes) throw tooLarge('the message', maxBytes);
      chunks = [joined];
      neededBytes = prefixLength + length;
      if (sizeBytes < neededBytes) break;
      yield await guardEnvelope(joined.subarray(0, neededBytes), encoding, maxBytes, check);
      const rest = joined.subarray(neededBytes);
      chunks = rest.length === 0 ? [] : [rest];
      sizeBytes = rest.length;
      neededBytes = prefixLength;
    }
  }
  if (sizeBytes > 0) throw invalidArgument('protocol error: the message is not whole');
}

async function guardEnvelope(
  envelope: Uint8Array,
  encoding: string | null,
  maxBytes: number,
  check: Check,
): Promise<Uint8Array> {
  const flags = envelope[0] as number;
  const data = envelope.subarray(prefixLength);
  if (flags === 0) {
    check(data);
    return envelope;
  }
  // No other bit is for a client to set, whatever the protocol.
  if (flags !== compressedFlag) throw invalidArgument(`protocol error: flags ${flags}`);
  // That the compression is unknown has its own code in each protocol: Connect's handlers report it.
  if (!isCompression(encoding)) return envelope;
  const message = await inflate(encoding, data, maxBytes);
  check(message);
  return envelop(0, message);
}
