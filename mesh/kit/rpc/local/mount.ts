import type { DescMessage, DescMethod, Message } from '@bufbuild/protobuf';
import { Code, type Transport } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { abortedBy, rpcError } from '../../base/errors.ts';
import { authorizationOf } from '../context.ts';
import { type Invocable, type MessageStream, Reply } from '../invoke.ts';
import { SingleMessage } from '../messages/single-message.ts';
import { wholeMessage } from '../messages/whole-message.ts';
import { timeoutOf } from '../policy.ts';
import { ServerCall } from '../server-call.ts';

/** What this process serves, by method. */
export type InvocableIndex = ReadonlyMap<DescMethod, Invocable>;

/**
 * A Connect transport to services of the same process. Messages are passed by reference: their sender must
 * not change them afterwards. Codes, details, deadlines and cancellation are those of the grpc mount.
 */
export function createLocalTransport(methods: InvocableIndex): Transport {
  const find = (method: DescMethod): Invocable => {
    const found = methods.get(method);
    if (found === undefined) {
      const name = `${method.parent.typeName}/${method.name}`;
      throw rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, `${name} is not served by this process`);
    }
    return found;
  };
  return {
    // Context values stay on the client's side, as they do on a wire.
    async unary(method, signal, timeoutMs, header, input) {
      const invocable = find(method);
      const call = openCall(method, signal, timeoutMs, header);
      const message = await invocable.unary(call, wholeMessage(method.input, input));
      return new Reply(call, message) as never;
    },
    async stream(method, signal, timeoutMs, header, input) {
      const invocable = find(method);
      const call = openCall(method, signal, timeoutMs, header);
      const given =
        input instanceof SingleMessage ? wholeMessage(method.input, input.message) : wholeAll(method.input, input);
      const output = invocable.stream(call, given);
      // As on a wire, response headers are there with the first message and not before.
      const first = output.next();
      await first.then(undefined, () => {});
      return new Reply(call, relay(first, output)) as never;
    },
  };
}

function openCall(
  method: DescMethod,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  header: HeadersInit | undefined,
): ServerCall {
  if (signal?.aborted) throw abortedBy(signal);
  const call = new ServerCall({
    method,
    requestHeader: () => new Headers(header),
    credentials: () => authorizationOf(header),
    timeoutMs: timeoutOf(method, timeoutMs),
  });
  if (signal !== undefined) {
    const onAbort = () => call.abort(abortedBy(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    call.onEnd(() => signal.removeEventListener('abort', onAbort));
  }
  return call;
}

function relay(first: Promise<IteratorResult<Message>>, output: MessageStream): MessageStream {
  let taken = false;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (taken) return output.next();
      taken = true;
      return first;
    },
    takeReady: () => (taken ? output.takeReady() : []),
    // Not awaited: a handler that is stuck must not hold its caller.
    async return() {
      output.return?.()?.then(undefined, () => {});
      return { done: true, value: undefined };
    },
  };
}

async function* wholeAll(schema: DescMessage, messages: AsyncIterable<unknown>): AsyncIterable<Message> {
  for await (const message of messages) yield wholeMessage(schema, message);
}
