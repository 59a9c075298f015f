import { create, type DescMessage, type DescMethod, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, type Transport } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { cancelled, rpcError } from './errors.ts';
import type { Invocable } from './invoke.ts';
import { timeoutOf } from './rpc-policy.ts';
import { ServerCall } from './server-call.ts';

/** What this process serves, by method. */
export type InvocableIndex = ReadonlyMap<DescMethod, Invocable>;

/**
 * A Connect transport to services of the same process. Messages are handed over by reference: whoever sends one must
 * not change it afterwards. Codes, details, deadlines and cancellation are those of the grpc mount.
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
      const detach = follow(call, signal);
      try {
        const message = await invocable.unary(call, whole(method.input, input));
        return {
          stream: false,
          service: method.parent,
          method,
          message: message as never,
          get header() {
            return call.responseHeader;
          },
          get trailer() {
            return call.responseTrailer;
          },
        };
      } finally {
        detach?.();
      }
    },
    async stream(method, signal, timeoutMs, header, input) {
      const invocable = find(method);
      const call = openCall(method, signal, timeoutMs, header);
      const detach = follow(call, signal);
      const output = invocable.stream(call, wholeAll(method.input, input));
      return {
        stream: true,
        service: method.parent,
        method,
        message: relay(output, call, detach) as never,
        get header() {
          return call.responseHeader;
        },
        get trailer() {
          return call.responseTrailer;
        },
      };
    },
  };
}

function openCall(
  method: DescMethod,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  header: HeadersInit | undefined,
): ServerCall {
  if (signal?.aborted) throw abortError(signal);
  return new ServerCall({
    method,
    protocolName: 'local',
    requestHeader: () => new Headers(header),
    timeoutMs: timeoutOf(method, timeoutMs),
  });
}

function follow(call: ServerCall, signal: AbortSignal | undefined): (() => void) | undefined {
  if (signal === undefined) return undefined;
  const onAbort = () => call.abort(abortError(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}

function abortError(signal: AbortSignal) {
  const reason = signal.reason as { code?: unknown } | undefined;
  return reason?.code === Code.DeadlineExceeded ? reason : cancelled(signal.reason);
}

async function* relay(
  output: AsyncIterableIterator<Message>,
  call: ServerCall,
  detach: (() => void) | undefined,
): AsyncIterable<Message> {
  try {
    yield* output;
  } finally {
    // A consumer that left early is a cancel.
    call.abort(cancelled());
    detach?.();
  }
}

function whole(schema: DescMessage, message: unknown): Message {
  const isWhole = (message as Message | undefined)?.$typeName === schema.typeName;
  return isWhole ? (message as Message) : create(schema, message as MessageInitShape<DescMessage>);
}

async function* wholeAll(schema: DescMessage, messages: AsyncIterable<unknown>): AsyncIterable<Message> {
  for await (const message of messages) yield whole(schema, message);
}
