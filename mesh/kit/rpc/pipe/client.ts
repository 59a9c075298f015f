import type { DescMethod, Message } from '@bufbuild/protobuf';
import type { Transport } from '@connectrpc/connect';
import { leaveStream } from '../messages/last-event.ts';
import type { ReadyMessages } from '../messages/ready-messages.ts';
import { SingleMessage } from '../messages/single-message.ts';
import { type ClientCall, openCall } from './client-call.ts';
import type { PipeConnection } from './connection.ts';
import { decodeMessage, empty } from './wire.ts';

/** Creates a Connect transport over a connection of a group. Codes, details, deadlines and cancellation are those of the grpc mount. */
export function createPipeTransport(connection: PipeConnection): Transport {
  return {
    unary: (method, signal, timeoutMs, header, input) =>
      new Promise((resolve, reject) => {
        const call = openCall(connection, { method, signal, timeoutMs, header, input: new SingleMessage(input) });
        call.onEnd = () => {
          if (call.error !== undefined) return reject(call.error);
          resolve({
            stream: false,
            service: method.parent,
            method,
            message: decodeMessage(method.output, call.queue[0] ?? empty) as never,
            get header() {
              return call.header;
            },
            get trailer() {
              return call.trailer;
            },
          });
        };
        if (call.isOver) call.onEnd();
      }),
    async stream(method, signal, timeoutMs, header, input) {
      const call = openCall(connection, { method, signal, timeoutMs, header, input });
      if (call.isOver) throw call.error;
      const messages = receive(call, method);
      await call.firstSign();
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

// Every message that came is delivered before the error is thrown.
function receive(call: ClientCall, method: DescMethod): AsyncIterableIterator<Message> & ReadyMessages<Message> {
  let last: Message | undefined;
  let hasLeft = false;
  let wake = () => {};
  call.onMessage = () => wake();
  call.onEnd = () => wake();
  const leave = () => {
    if (hasLeft) return;
    hasLeft = true;
    wake();
    if (call.isOver) return;
    leaveStream(method.output, last, {
      cancel: () => call.cancel(undefined),
      readToEnd(onEnd) {
        const drop = () => {
          for (const payload of call.queue.splice(0)) call.consumed(payload);
        };
        call.onMessage = drop;
        call.onEnd = onEnd;
        drop();
      },
    });
  };
  const read = (payload: Buffer): Message => {
    call.consumed(payload);
    last = decodeMessage(method.output, payload);
    return last;
  };
  async function* messages(): AsyncGenerator<Message, void> {
    try {
      while (!hasLeft) {
        const payload = call.queue.shift();
        if (payload !== undefined) {
          yield read(payload);
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
