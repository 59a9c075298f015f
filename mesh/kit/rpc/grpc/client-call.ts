import type { DescMethod } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Channel, Metadata, StatusObject } from '@grpc/grpc-js';
import { abortedBy, cancelled, deadlineExceeded, internal } from '../../base/errors.ts';
import { isDeadline } from '../../breaker/breaker.ts';
import type { CallInit, ClientCall } from '../call-transport.ts';
import { SingleMessage } from '../messages/single-message.ts';
import { wholeMessage } from '../messages/whole-message.ts';
import { timeoutOf } from '../policy.ts';
import { startClientSpan } from './client-span.ts';
import { limitProbe, type SilenceBreaker, unwatched } from './silence-breaker.ts';
import { headersToMetadata, metadataToHeaders, type methodDefinition, statusToError } from './wire.ts';

// Calls of a grpc-js channel itself: name resolution, balance, retries, deadlines and keepalive are the channel's. The clients of grpc-js
// put a Node stream and two layers of interception around each call, which are a third of what a call costs its client.

/** Messages that wait for a slow consumer before no more are read. */
const receiveBuffer = 16;

type ChannelCall = ReturnType<Channel['createCall']>;

/** A method as grpc-js knows it. */
export type Definition = ReturnType<typeof methodDefinition>;

/** What calls are made with. */
export interface CallDeps {
  channel: Channel;
  define(method: DescMethod): Definition;
  breaker: SilenceBreaker;
  /** Whether each call has a span. */
  isTraced: boolean;
  /** Is called when a call that has left this process has ended, with its error; `undefined` after success. */
  onEnd: ((method: DescMethod, error: ConnectError | undefined) => void) | undefined;
}

/** Begins a call. One that cannot begin is over immediately. */
export function openCall({ channel, define, breaker, isTraced, onEnd }: CallDeps, init: CallInit): ClientCall {
  const { method, signal, input } = init;
  const sign = Promise.withResolvers<void>();
  let channelCall: ChannelCall | undefined;
  let endSpan: ((code: number) => void) | undefined;
  let deadline = Number.POSITIVE_INFINITY;
  let isReading = false;
  /** Whether messages that have come will be reported. */
  let isDue = false;
  let isOver = false;
  let watched = unwatched;
  let error: unknown;
  let header: Metadata | undefined;
  let trailer: Metadata | undefined;
  /** Wakes an upload that waits for its last message to leave. */
  let wakeUpload = () => {};

  const readMore = () => {
    if (isReading || isOver || call.queue.length >= receiveBuffer) return;
    isReading = true;
    channelCall?.startRead();
  };
  const report = () => {
    isDue = false;
    if (!isOver) call.onMessage();
  };
  const end = (code: number, reason: unknown) => {
    if (isOver) return;
    isOver = true;
    error = reason;
    endSpan?.(code);
    if (channelCall !== undefined) {
      onEnd?.(method, code === 0 ? undefined : reason instanceof ConnectError ? reason : cancelled());
    }
    signal?.removeEventListener('abort', onAbort);
    sign.resolve();
    wakeUpload();
    call.onEnd();
  };
  const onAbort = () => call.cancel(abortedBy(signal as AbortSignal));
  const call: ClientCall = {
    queue: [],
    get header() {
      return header === undefined ? new Headers() : metadataToHeaders(header);
    },
    get trailer() {
      return trailer === undefined ? new Headers() : metadataToHeaders(trailer);
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
    consumed: readMore,
    cancel(reason) {
      if (isOver) return;
      channelCall?.cancelWithStatus(Code.Canceled as number, 'Cancelled on client');
      watched.ended(undefined, isDeadline(reason));
      end(Code.Canceled, reason);
    },
  };
  const listener = {
    onReceiveMetadata(received: Metadata) {
      watched.heard();
      header = received;
      sign.resolve();
    },
    onReceiveMessage(bytes: Buffer) {
      if (isOver) return;
      watched.heard();
      isReading = false;
      call.queue.push(bytes);
      sign.resolve();
      // grpc-js gives messages that came together one after another within a turn of the event loop: they are taken together.
      if (!isDue) setImmediate(report);
      isDue = true;
      readMore();
    },
    onReceiveStatus(status: StatusObject) {
      if (isOver) return;
      watched.ended(status, (status.code as number) === Code.DeadlineExceeded);
      trailer = status.metadata;
      end(status.code, status.code === 0 ? undefined : failure(status, deadline, header));
    },
  };

  try {
    if (signal?.aborted) throw abortedBy(signal);
    const leftMs = timeoutOf(method, init.timeoutMs);
    if (leftMs !== undefined && leftMs <= 0) throw deadlineExceeded();
    if (leftMs !== undefined) deadline = Date.now() + leftMs;
    const metadata = headersToMetadata(init.header);
    const { path, requestSerialize } = define(method);
    const serialize = (message: unknown) => {
      try {
        return requestSerialize(wholeMessage(method.input, message));
      } catch (thrown) {
        throw internal(thrown);
      }
    };
    const first = input instanceof SingleMessage ? serialize(input.message) : undefined;
    if (first !== undefined) watched = limitProbe(breaker.watch(path), (error) => call.cancel(error));
    if (isTraced) endSpan = startClientSpan(method, metadata);
    const begun = channel.createCall(path, deadline, undefined, null, undefined);
    channelCall = begun;
    begun.start(metadata, listener);
    readMore();
    if (first === undefined) {
      const isWoken = (wake: () => void) => {
        wakeUpload = wake;
      };
      void upload(begun, call, input, serialize, isWoken);
    } else {
      begun.sendMessageWithContext({}, first);
      begun.halfClose();
    }
    signal?.addEventListener('abort', onAbort, { once: true });
  } catch (thrown) {
    end(Code.Internal, thrown);
  }
  return call;
}

// Sends a stream of messages, one after another: a channel holds one that it cannot send yet.
async function upload(
  channelCall: ChannelCall,
  call: ClientCall,
  input: AsyncIterable<unknown>,
  serialize: (message: unknown) => Buffer,
  onWake: (wake: () => void) => void,
): Promise<void> {
  try {
    for await (const message of input) {
      if (call.isOver) return;
      const bytes = serialize(message);
      await new Promise<void>((resolve) => {
        onWake(resolve);
        channelCall.sendMessageWithContext({ callback: () => resolve() }, bytes);
      });
      if (call.isOver) return;
    }
    channelCall.halfClose();
  } catch (error) {
    // The source of the upload failed: the call must not look complete to the server.
    call.cancel(error);
  }
}

// A server that watches the deadline as well may cancel the call before grpc-js reports that it passed.
function failure(status: StatusObject, deadline: number, header: Metadata | undefined): unknown {
  const isLate = (status.code as number) === Code.Canceled && Date.now() >= deadline;
  return statusToError(isLate ? { ...status, code: Code.DeadlineExceeded as number } : status, header);
}
