import type { EventEmitter } from 'node:events';
import type { DescMessage, DescMethod, Message } from '@bufbuild/protobuf';
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Server,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { cancelled, deadlineExceeded, internal } from '../../base/errors.ts';
import type { Invocable, MessageStream } from '../invoke.ts';
import { toBytes } from '../messages/shared-message.ts';
import { policyOf, type RequestBounds, requestBoundsOf, timeoutOf } from '../policy.ts';
import { ServerCall } from '../server-call.ts';
import { JoinedMessages, messageHeadBytes, patchGrpc } from './patches.ts';
import { requestReader, unwrap } from './received-message.ts';
import { errorToStatus, headersToMetadata, metadataToHeaders, methodDefinition, trailerToMetadata } from './wire.ts';

/**
 * Mounts methods on a grpc-js server. `maxMessageBytes` is the server's own limit for a message that it sends; messages that leave in
 * one write stay within it together, because grpc-js takes them for one. `boundsOf`: bounds of a method's requests, by default those of
 * its contract.
 */
export function mountGrpc(
  server: Server,
  methods: Iterable<Invocable>,
  maxMessageBytes: number,
  boundsOf: (method: DescMethod) => RequestBounds = (method) => requestBoundsOf(method, Number.POSITIVE_INFINITY),
): void {
  const joinedBytes = patchGrpc() ? Math.min(maxJoinedBytes, maxMessageBytes) : 0;
  for (const invocable of methods) {
    const definition = {
      ...methodDefinition(invocable.method),
      requestDeserialize: requestReader(invocable.method, boundsOf(invocable.method)),
    };
    const kind = invocable.method.methodKind;
    server.addService(
      { [definition.path]: definition },
      {
        [definition.path]:
          kind === 'unary'
            ? handleUnary(invocable)
            : kind === 'server_streaming'
              ? handleServerStream(invocable, joinedBytes)
              : kind === 'client_streaming'
                ? handleClientStream(invocable)
                : handleBidiStream(invocable, joinedBytes),
      },
    );
  }
}

function handleUnary(invocable: Invocable): handleUnaryCall<Message, Message> {
  return (grpcCall, callback) => {
    const call = openCall(invocable, grpcCall);
    const fail = (error: unknown) => {
      sendHeader(grpcCall, call);
      callback(errorToStatus(error, call.sentTrailer));
    };
    try {
      unwrap(grpcCall.request);
    } catch (error) {
      call.finish(error);
      return fail(error);
    }
    invocable
      .unary(call, grpcCall.request)
      .then((message) => {
        sendHeader(grpcCall, call);
        callback(null, message, trailerToMetadata(call.sentTrailer));
      })
      .catch(fail);
  };
}

function handleClientStream(invocable: Invocable): handleClientStreamingCall<Message, Message> {
  return async (grpcCall, callback) => {
    const call = openCall(invocable, grpcCall);
    try {
      let last: Message | undefined;
      for await (const message of invocable.stream(call, receive(grpcCall, call))) last = message;
      sendHeader(grpcCall, call);
      callback(null, last, trailerToMetadata(call.sentTrailer));
    } catch (error) {
      sendHeader(grpcCall, call);
      callback(errorToStatus(error, call.sentTrailer));
      // What the client still sends is read and dropped, so that it gets to see the status.
      grpcCall.resume();
    }
  };
}

function handleServerStream(invocable: Invocable, joinedBytes: number): handleServerStreamingCall<Message, Message> {
  return (grpcCall) => {
    const call = openCall(invocable, grpcCall);
    return send(grpcCall, call, invocable.stream(call, received(grpcCall.request)), joinedBytes);
  };
}

function handleBidiStream(invocable: Invocable, joinedBytes: number): handleBidiStreamingCall<Message, Message> {
  return async (grpcCall) => {
    const call = openCall(invocable, grpcCall);
    await send(grpcCall, call, invocable.stream(call, receive(grpcCall, call)), joinedBytes);
    grpcCall.resume();
  };
}

type AnyCall =
  | ServerUnaryCall<Message, Message>
  | ServerReadableStream<Message, Message>
  | ServerWritableStream<Message, Message>
  | ServerDuplexStream<Message, Message>;

// grpc-js itself answers a call whose deadline passes. The timer here comes a little later, for a handler that would not be
// notified: if the client reads nothing, the answer cannot leave.
const deadlineGraceMs = 100;

function openCall(invocable: Invocable, grpcCall: AnyCall): ServerCall {
  const deadline = Number(grpcCall.getDeadline());
  const callerMs = Number.isFinite(deadline) ? Math.max(0, deadline - Date.now()) : undefined;
  const timeoutMs = timeoutOf(invocable.method, callerMs);
  const call = new ServerCall({
    method: invocable.method,
    requestHeader: () => metadataToHeaders(grpcCall.metadata),
    credentials: () => grpcCall.metadata.get('authorization')[0]?.toString(),
    // grpc-js writes "<address>:<port>", for IPv6 without brackets.
    peerAddress: () => grpcCall.getPeer().replace(/:\d+$/, ''),
    timeoutMs,
    graceMs: timeoutMs === callerMs ? deadlineGraceMs : 0,
  });
  // grpc-js says 'cancelled' at the end of every call; an error with its stack is only made for one still in flight.
  const onCancelled = () => {
    if (!call.aborted) call.abort(Date.now() >= deadline ? deadlineExceeded() : cancelled());
  };
  const events: EventEmitter = grpcCall as EventEmitter;
  events.on('cancelled', onCancelled);
  // grpc-js keeps its call for a while; ours, with its messages, is released immediately.
  call.onEnd(() => events.off('cancelled', onCancelled));
  return call;
}

type WritableCall = ServerWritableStream<Message, Message> | ServerDuplexStream<Message, Message>;

async function send(
  grpcCall: WritableCall,
  call: ServerCall,
  messages: MessageStream,
  joinedBytes: number,
): Promise<void> {
  const writer = createWriter(grpcCall, call.method.output, joinedBytes);
  // Before the handler may set headers: a contract that asks for an early sign has none.
  if (policyOf(call.method).firstSignMs > 0) grpcCall.sendMetadata(headersToMetadata(undefined));
  try {
    let first = true;
    for await (const message of messages) {
      if (first) sendHeader(grpcCall, call);
      first = false;
      writer.add(message);
      for (const ready of messages.takeReady()) writer.add(ready);
      if (writer.blocked !== undefined) await writer.blocked;
      if (grpcCall.cancelled) break;
    }
    if (first) sendHeader(grpcCall, call);
    writer.flush();
    grpcCall.end(trailerToMetadata(call.sentTrailer));
  } catch (error) {
    writer.flush();
    sendHeader(grpcCall, call);
    grpcCall.emit('error', errorToStatus(error, call.sentTrailer));
  }
}

/** Most messages that leave in one write, and their size together; a larger message is written by itself. */
const maxJoined = 16;
const maxJoinedBytes = 16 * 1024;

/**
 * Creates a writer that keeps the order of messages. Messages that are ready together leave in one write of at most `limitBytes`,
 * without the head of the first; 0: each message in its own.
 */
function createWriter(grpcCall: WritableCall, schema: DescMessage, limitBytes: number) {
  let joined: Uint8Array[] = [];
  let joinedBytes = 0;
  let isDue = false;
  const write = (value: unknown) => {
    if (grpcCall.cancelled || grpcCall.write(value as Message)) return;
    writer.blocked ??= drained(grpcCall).then(() => {
      writer.blocked = undefined;
    });
  };
  const writer = {
    /** Settles when the peer has caught up; `undefined` while it keeps up. */
    blocked: undefined as Promise<void> | undefined,
    add(message: Message) {
      if (limitBytes === 0) return write(message);
      const bytes = toBytes(schema, message);
      if (joinedBytes + bytes.length > limitBytes) writer.flush();
      if (bytes.length > limitBytes) return write(message);
      joined.push(bytes);
      joinedBytes += bytes.length + messageHeadBytes;
      if (joined.length === maxJoined) writer.flush();
      else if (!isDue) {
        isDue = true;
        process.nextTick(onDue);
      }
    },
    flush() {
      if (joined.length === 0) return;
      const all = joined;
      joined = [];
      joinedBytes = 0;
      write(new JoinedMessages(all));
    },
  };
  const onDue = () => {
    isDue = false;
    writer.flush();
  };
  return writer;
}

// `write` said that the peer is behind. A call that is cancelled never drains, so that ends the wait as well.
function drained(grpcCall: WritableCall): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      grpcCall.off('drain', done);
      grpcCall.off('cancelled', done);
      resolve();
    };
    grpcCall.once('drain', done);
    grpcCall.once('cancelled', done);
  });
}

async function* receive(
  grpcCall: ServerReadableStream<Message, Message> | ServerDuplexStream<Message, Message>,
  call: ServerCall,
): AsyncIterable<Message> {
  const iterator = grpcCall.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  for (;;) {
    const result = await call.settle(iterator.next());
    if (result.done === true) return;
    yield unwrap(result.value as Message);
  }
}

// One message that is there. A refused one fails the call when it is taken, inside the call's interceptors.
function received(request: Message): Message | AsyncIterable<Message> {
  try {
    return unwrap(request);
  } catch (error) {
    return failing(error);
  }
}

/** Returns a stream that fails at its first message. */
function failing(error: unknown): AsyncIterable<Message> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
}

// Once sent, grpc-js takes no notice of a second time. Headers that metadata cannot hold are a bug of the handler: they are dropped,
// so that the error itself can leave.
function sendHeader(grpcCall: AnyCall, call: ServerCall): void {
  if (call.sentHeader === undefined) return;
  try {
    grpcCall.sendMetadata(headersToMetadata(call.sentHeader));
  } catch (error) {
    call.dropHeaders();
    throw internal(error);
  }
}
