import type { Message } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { cancelled, deadlineExceeded, rpcError, toRpcError } from '../../base/errors.ts';
import type { Invocable, MessageStream } from '../invoke.ts';
import { policyOf, timeoutOf } from '../policy.ts';
import { ServerCall } from '../server-call.ts';
import type { Link } from './link.ts';
import { inTraceOf } from './trace-parent.ts';
import { createConsumed, createSendWindow, type SendWindow } from './window.ts';
import {
  type CallHead,
  decodeCredit,
  decodeMessage,
  decodeOpen,
  encodeCredit,
  encodeFailure,
  encodeHeaders,
  encodeMessage,
  FrameKind,
} from './wire.ts';

/** What takes the frames of one connection. */
export interface FrameHandler {
  onFrame(kind: number, call: number, payload: Buffer): void;
  /** The connection has ended. */
  onClose(): void;
}

/** A call in flight, as its frames reach it. */
interface Running {
  readonly call: ServerCall;
  readonly window: SendWindow;
  /** Messages of the client, if they are a stream. */
  readonly upload: Upload | undefined;
}

/** What the replies of one call are sent with. */
interface Replies {
  readonly link: Link;
  readonly id: number;
  readonly maxMessageBytes: number;
}

/** The deadline of the client, which ends the call there, comes first; this is for a client that does not. */
const deadlineGraceMs = 100;

/** Mounts methods on the connections of a group: returns what takes the frames of a connection. */
export function mountPipe(methods: Iterable<Invocable>, maxMessageBytes: number): (link: Link) => FrameHandler {
  const byName = new Map([...methods].map((invocable) => [nameOf(invocable), invocable]));
  return (link) => {
    const running = new Map<number, Running>();

    const begin = (id: number, payload: Buffer, isStream: boolean) => {
      const { head, message } = decodeOpen(payload);
      const replies = { link, id, maxMessageBytes };
      const invocable = byName.get(head.name);
      if (invocable === undefined) return fail(replies, unknownMethod(head.name), undefined);
      const call = openCall(invocable, head);
      const window = createSendWindow();
      const grant = createConsumed((cost) => link.send(FrameKind.CREDIT, id, encodeCredit(cost)));
      const upload = isStream ? createUpload(invocable, call, grant) : undefined;
      running.set(id, { call, window, upload });
      const input = upload?.messages ?? message;
      void inTraceOf(head.headers, () => run(invocable, call, window, input, replies)).finally(() =>
        running.delete(id),
      );
    };

    return {
      onFrame(kind, id, payload) {
        if (kind === FrameKind.OPEN || kind === FrameKind.OPEN_STREAM) {
          begin(id, payload, kind === FrameKind.OPEN_STREAM);
          return;
        }
        const found = running.get(id);
        if (found === undefined) return;
        if (kind === FrameKind.CREDIT) found.window.credit(decodeCredit(payload));
        else if (kind === FrameKind.MESSAGE) found.upload?.add(payload);
        else if (kind === FrameKind.END) found.upload?.end();
        else if (kind === FrameKind.CANCEL) {
          found.call.abort(found.call.timeoutMs() === 0 ? deadlineExceeded() : cancelled());
        }
      },
      onClose() {
        for (const { call } of running.values()) call.abort(cancelled());
      },
    };
  };
}

function nameOf({ method }: Invocable): string {
  return `${method.parent.typeName}/${method.name}`;
}

function unknownMethod(name: string) {
  return rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, `${name} is not served by this process`);
}

function openCall({ method }: Invocable, { timeoutMs, headers }: CallHead): ServerCall {
  return new ServerCall({
    method,
    requestHeader: () => new Headers(headers.map(([name, value]): [string, string] => [name, value])),
    credentials: () => headers.find(([name]) => name === 'authorization')?.[1],
    timeoutMs: timeoutOf(method, timeoutMs),
    graceMs: deadlineGraceMs,
  });
}

type Input = Buffer | AsyncIterable<Message>;

async function run(
  invocable: Invocable,
  call: ServerCall,
  window: SendWindow,
  input: Input,
  replies: Replies,
): Promise<void> {
  try {
    const { method } = invocable;
    const given = Buffer.isBuffer(input) ? decodeMessage(method.input, input) : input;
    if (method.methodKind === 'unary' && '$typeName' in given) {
      reply(replies, call, await invocable.unary(call, given));
    } else {
      await send(replies, call, window, invocable.stream(call, given));
    }
  } catch (error) {
    const failure = toRpcError(error);
    // Nothing has ended the call if its message could not be read.
    call.finish(failure);
    fail(replies, failure, call);
  }
}

function reply({ link, id, maxMessageBytes }: Replies, call: ServerCall, message: Message): void {
  const bytes = encodeMessage(call.method.output, message, maxMessageBytes);
  if (call.sentHeader === undefined && call.sentTrailer === undefined) {
    link.send(FrameKind.REPLY, id, bytes);
    return;
  }
  link.send(FrameKind.HEAD, id, encodeHeaders(call.sentHeader));
  link.send(FrameKind.MESSAGE, id, bytes);
  link.send(FrameKind.END, id, encodeHeaders(call.sentTrailer));
}

async function send(
  { link, id, maxMessageBytes }: Replies,
  call: ServerCall,
  window: SendWindow,
  messages: MessageStream,
): Promise<void> {
  let isFirst = true;
  // Empty, since the handler has not begun.
  if (policyOf(call.method).firstSignMs > 0) link.send(FrameKind.HEAD, id, encodeHeaders(undefined));
  const sendHead = () => {
    if (isFirst && call.sentHeader !== undefined) link.send(FrameKind.HEAD, id, encodeHeaders(call.sentHeader));
    isFirst = false;
  };
  const sendMessage = (message: Message) => {
    const bytes = encodeMessage(call.method.output, message, maxMessageBytes);
    link.send(FrameKind.MESSAGE, id, bytes);
    window.sent(bytes);
  };
  for await (const message of messages) {
    sendHead();
    sendMessage(message);
    for (const ready of messages.takeReady()) sendMessage(ready);
    const { blocked } = window;
    if (blocked !== undefined) await call.settle(blocked);
  }
  sendHead();
  link.send(FrameKind.END, id, encodeHeaders(call.sentTrailer));
}

function fail({ link, id }: Replies, error: ReturnType<typeof toRpcError>, call: ServerCall | undefined): void {
  link.send(FrameKind.FAIL, id, encodeFailure(error, call?.sentHeader, call?.sentTrailer));
}

/** Messages of a client as they arrive; the client's window bounds them. */
interface Upload {
  readonly messages: AsyncIterable<Message>;
  add(payload: Buffer): void;
  end(): void;
}

function createUpload({ method }: Invocable, call: ServerCall, consumed: (message: Uint8Array) => void): Upload {
  const queue: Buffer[] = [];
  let isEnded = false;
  let wake = () => {};
  async function* messages(): AsyncGenerator<Message> {
    for (;;) {
      const payload = queue.shift();
      if (payload !== undefined) {
        consumed(payload);
        yield decodeMessage(method.input, payload);
      } else if (isEnded) {
        return;
      } else {
        await call.settle(
          new Promise<void>((resolve) => {
            wake = resolve;
          }),
        );
      }
    }
  }
  return {
    messages: messages(),
    add(payload) {
      queue.push(payload);
      wake();
    },
    end() {
      isEnded = true;
      wake();
    },
  };
}
