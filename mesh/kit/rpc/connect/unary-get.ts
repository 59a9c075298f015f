import type { DescMethod } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { invalidArgument } from '../../base/errors.ts';

/** A request whose message is in its address, as the same with a body. */
export interface UnaryGet {
  header: Headers;
  /** Yields the message. Throws INVALID_ARGUMENT if the address does not hold one. */
  body: AsyncIterable<Uint8Array>;
}

const encodings = new Set(['json', 'proto']);

/**
 * Returns a request of Connect's "Unary-Get-Request" as a request with a body, so that the bounds of a message, and the code of one that cannot
 * be read, are the same for both: https://connectrpc.com/docs/protocol. Returns `undefined` for all other requests, and for those that
 * Connect's handlers refuse by their method or encoding.
 */
export function readUnaryGet(
  method: DescMethod,
  verb: string | undefined,
  url: string,
  header: Headers,
): UnaryGet | undefined {
  if (verb !== 'GET' || method.methodKind !== 'unary') return undefined;
  if (method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return undefined;
  const query = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  const encoding = query.get('encoding') ?? '';
  if (!encodings.has(encoding)) return undefined;
  const whole = new Headers(header);
  whole.delete('content-length');
  whole.delete('content-encoding');
  whole.set('content-type', `application/${encoding}`);
  const compression = query.get('compression');
  if (compression !== null) whole.set('content-encoding', compression);
  return { header: whole, body: messageOf(query) };
}

async function* messageOf(query: URLSearchParams): AsyncGenerator<Uint8Array> {
  const message = query.get('message') ?? '';
  if (query.get('base64') !== '1') {
    yield Buffer.from(message);
    return;
  }
  // In a query, "+" has become a space.
  if (!/^[\w+/ -]*={0,2}$/.test(message)) throw invalidArgument('message is not base64');
  yield Buffer.from(message.replaceAll(' ', '+'), 'base64');
}
