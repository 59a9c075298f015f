import type { DescMethod } from '@bufbuild/protobuf';
import { abortedBy, deadlineExceeded } from '../../base/errors.ts';
import type { CallInit, ClientCall } from '../call-transport.ts';
import { SingleMessage } from '../messages/single-message.ts';
import { wholeMessage } from '../messages/whole-message.ts';
import { timeoutOf } from '../policy.ts';
import type { PipeConnection } from './connection.ts';
import { traceParent } from './trace-parent.ts';
import { createConsumed, createSendWindow, type SendWindow } from './window.ts';
import {
  decodeCredit,
  decodeFailure,
  decodeHeaders,
  empty,
  encodeCredit,
  encodeMessage,
  encodeOpen,
  FrameKind,
} from './wire.ts';

const longestTimerMs = 0x7fffffff;

/** Begins a call. One that cannot begin is over immediately. */
export function openCall(connection: PipeConnection, init: CallInit): ClientCall {
  const { method, signal, header, input } = init;
  const { maxMessageBytes } = connection;
  const leftMs = timeoutOf(method, init.timeoutMs);
  const sign = Promise.withResolvers<void>();
  let window: SendWindow | undefined;
  let id: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let error: unknown;
  let head: Uint8Array = empty;
  let tail: Uint8Array = empty;

  const send = (kind: number, payload: Uint8Array) => {
    if (id !== undefined) connection.send(kind, id, payload);
  };
  const end = (reason: unknown) => {
    if (isOver) return;
    isOver = true;
    error = reason;
    if (id !== undefined) connection.end(id);
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    window?.close();
    sign.resolve();
    call.onEnd();
  };
  const onAbort = () => call.cancel(abortedBy(signal as AbortSignal));
  const call: ClientCall = {
    queue: [],
    get header() {
      return decodeHeaders(head);
    },
    get trailer() {
      return decodeHeaders(tail);
    },
    get isOver() {
      return isOver;
    },
    get error() {
      return error;
    },
    onMessage: () => {},
    onEnd: () => {},
    firstSign: () => sign.promise,
    consumed: createConsumed((cost) => send(FrameKind.CREDIT, encodeCredit(cost))),
    cancel(reason) {
      if (isOver) return;
      send(FrameKind.CANCEL, empty);
      end(reason);
    },
  };
  const onFrame = (kind: number, payload: Buffer) => {
    switch (kind) {
      case FrameKind.HEAD:
        head = payload;
        return sign.resolve();
      case FrameKind.MESSAGE:
      case FrameKind.REPLY:
        call.queue.push(payload);
        sign.resolve();
        return kind === FrameKind.REPLY ? end(undefined) : call.onMessage();
      case FrameKind.END:
        tail = payload;
        return end(undefined);
      case FrameKind.FAIL:
        return end(decodeFailure(payload));
      case FrameKind.CREDIT:
        return window?.credit(decodeCredit(payload));
      default:
        return;
    }
  };
  const begin = (kind: number, message: Uint8Array) => {
    const name = nameOf(method);
    const payload = encodeOpen({ name, timeoutMs: leftMs, headers: pairsOf(header) }, message);
    id = connection.begin(kind, payload, { onFrame, onLost: end });
  };

  try {
    if (signal?.aborted) throw abortedBy(signal);
    if (leftMs !== undefined && leftMs <= 0) throw deadlineExceeded();
    if (input instanceof SingleMessage) {
      begin(FrameKind.OPEN, encodeMessage(method.input, wholeMessage(method.input, input.message), maxMessageBytes));
    } else {
      window = createSendWindow();
      begin(FrameKind.OPEN_STREAM, empty);
      void upload(init, call, window, maxMessageBytes, send);
    }
    if (leftMs !== undefined) {
      timer = setTimeout(() => call.cancel(deadlineExceeded()), Math.min(leftMs, longestTimerMs));
    }
    signal?.addEventListener('abort', onAbort, { once: true });
  } catch (thrown) {
    end(thrown);
  }
  return call;
}

// Sends a stream of messages, no faster than the server takes them.
async function upload(
  { method, input }: CallInit,
  call: ClientCall,
  window: SendWindow,
  maxMessageBytes: number,
  send: (kind: number, payload: Uint8Array) => void,
): Promise<void> {
  try {
    for await (const message of input) {
      if (call.isOver) return;
      const bytes = encodeMessage(method.input, wholeMessage(method.input, message), maxMessageBytes);
      send(FrameKind.MESSAGE, bytes);
      window.sent(bytes);
      const { blocked } = window;
      if (blocked !== undefined) await blocked;
      if (call.isOver) return;
    }
    send(FrameKind.END, empty);
  } catch (error) {
    // The source of the upload failed: the call must not look complete to the server.
    call.cancel(error);
  }
}

const names = new WeakMap<DescMethod, string>();

function nameOf(method: DescMethod): string {
  let name = names.get(method);
  if (name === undefined) {
    name = `${method.parent.typeName}/${method.name}`;
    names.set(method, name);
  }
  return name;
}

function pairsOf(header: HeadersInit | undefined): (readonly [string, string])[] {
  const isPlain = header !== undefined && !(header instanceof Headers) && !Array.isArray(header);
  const pairs: (readonly [string, string])[] = isPlain ? Object.entries(header) : [...new Headers(header)];
  const trace = traceParent();
  if (trace !== undefined) pairs.push(trace);
  return pairs;
}
