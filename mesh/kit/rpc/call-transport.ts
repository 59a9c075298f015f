import type { DescMethod, Message } from '@bufbuild/protobuf';
import { Code, type Transport } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, unavailable } from '../base/errors.ts';
import { leaveStream } from './messages/last-event.ts';
import type { ReadyMessages } from './messages/ready-messages.ts';
import { SingleMessage } from './messages/single-message.ts';
import { policyOf } from './policy.ts';

/** What a client asks. */
export interface CallInit {
  method: DescMethod;
  signal: AbortSignal | undefined;
  timeoutMs: number | undefined;
  header: HeadersInit | undefined;
  input: AsyncIterable<unknown>;
}

/** A call in flight to another process, as its client sees it. */
export interface ClientCall {
  /** Bytes of messages that were not taken yet. */
  readonly queue: Buffer[];
  readonly header: Headers;
  readonly trailer: Headers;
  /** Whether nothing more comes. */
  readonly isOver: boolean;
  /** Why it failed, once it is over. */
  readonly error: unknown;
  /** Called when a message has come. */
  onMessage: () => void;
  /** Called when the call is over. */
  onEnd: () => void;
  /** Resolves with the first that comes: headers, a message, or the end. */
  firstSign(): Promise<void>;
  /** Counts a message that was taken from the queue. */
  consumed(message: Uint8Array): void;
  /** Ends the call now. */
  cancel(error: unknown): void;
}

/** Reads a message that a method has returned. Throws INTERNAL if it cannot. */
export type ReadMessage = (method: DescMethod, bytes: Buffer) => Message;

/** Creates a Connect transport over calls that a mount opens. `open` never throws: a call that cannot begin is over. */
export function createCallTransport(open: (init: CallInit) => ClientCall, readMessage: ReadMessage): Transport {
  return {
    unary: (method, signal, timeoutMs, header, input) =>
      new Promise((resolve, reject) => {
        const call = open({ method, signal, timeoutMs, header, input: new SingleMessage(input) });
        const settle = () => {
          if (call.error !== undefined) return reject(call.error);
          const [bytes] = call.queue;
          if (bytes === undefined) return reject(noMessage());
          try {
            resolve({
              stream: false,
              service: method.parent,
              method,
              message: readMessage(method, bytes) as never,
              get header() {
                return call.header;
              },
              get trailer() {
                return call.trailer;
              },
            });
          } catch (error) {
            reject(error);
          }
        };
        call.onEnd = settle;
        if (call.isOver) settle();
      }),
    async stream(method, signal, timeoutMs, header, input) {
      const call = open({ method, signal, timeoutMs, header, input });
      if (call.isOver) throw call.error;
      const messages = receive(call, method, readMessage);
      await firstSign(call, method);
      return {
        stream: true,
        service: method.parent,
        method,
        message: messages as never,
        get header() {
          return call.header;
        },
        get trailer() {
          return call.trailer;
        },
      };
    },
  };
}

/** Resolves with the first sign of a reply, or with the end of a call that gave none in the time of its contract. */
async function firstSign(call: ClientCall, method: DescMethod): Promise<void> {
  const { firstSignMs } = policyOf(method);
  if (firstSignMs === 0) return call.firstSign();
  const message = `no sign of a reply within ${firstSignMs} ms`;
  const timer = setTimeout(() => call.cancel(unavailable(method.parent.name, message)), firstSignMs);
  await call.firstSign();
  clearTimeout(timer);
}

// Every message that came is delivered before the error is thrown.
function receive(
  call: ClientCall,
  method: DescMethod,
  readMessage: ReadMessage,
): AsyncIterableIterator<Message> & ReadyMessages<Message> {
  let last: Message | undefined;
  let hasLeft = false;
  let wake = () => {};
  // V8 allocates a function that is written directly into a property in the old generation; there it would hold the call, with all of its
  // messages, until the next full collection.
  const onChange = () => wake();
  call.onMessage = onChange;
  call.onEnd = onChange;
  const leave = () => {
    if (hasLeft) return;
    hasLeft = true;
    wake();
    if (call.isOver) return;
    leaveStream(method.output, last, {
      cancel: () => call.cancel(undefined),
      readToEnd(onEnd) {
        const drop = () => {
          for (const bytes of call.queue.splice(0)) call.consumed(bytes);
        };
        call.onMessage = drop;
        call.onEnd = onEnd;
        drop();
      },
    });
  };
  const read = (bytes: Buffer): Message => {
    call.consumed(bytes);
    last = readMessage(method, bytes);
    return last;
  };
  async function* messages(): AsyncGenerator<Message, void> {
    try {
      while (!hasLeft) {
        const bytes = call.queue.shift();
        if (bytes !== undefined) {
          yield read(bytes);
        } else if (call.isOver) {
          if (call.error !== undefined) throw call.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      leave();
    }
  }
  const iterator = messages();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => iterator.next(),
    takeReady: () => (hasLeft ? [] : call.queue.splice(0).map(read)),
    return() {
      // Here, because a generator that has not begun, or that waits for a message, does not see its consumer leave.
      leave();
      return iterator.return();
    },
  };
}

function noMessage() {
  return rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, 'no message came back');
}
