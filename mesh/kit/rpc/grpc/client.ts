import type { DescMessage, DescMethod, Message } from '@bufbuild/protobuf';
import { Code, type ConnectError, type Transport } from '@connectrpc/connect';
import type { Client, ClientDuplexStream, Metadata, ServiceError, StatusObject } from '@grpc/grpc-js';
import { abortedBy, deadlineExceeded } from '../../base/errors.ts';
import { leaveStream } from '../messages/last-event.ts';
import type { ReadyMessages } from '../messages/ready-messages.ts';
import { wholeMessage } from '../messages/whole-message.ts';
import { isRetryable, policyOf, timeoutOf } from '../policy.ts';
import { grpc } from './grpc-js.ts';
import { createMessageReader } from './known-messages.ts';
import { patchGrpc } from './patches.ts';
import { headersToMetadata, metadataToHeaders, methodDefinition, statusToError } from './wire.ts';

/** A Connect transport over grpc-js to one address, with the contract's deadlines and retries. */
export interface GrpcTransport extends Transport {
  /** Closes the connection; calls in flight fail. */
  close(): void;
}

/** The address and the options of a connection. */
export interface GrpcTransportOptions {
  /** "host:port", or any grpc-js target: "dns:///retrieval:50051". */
  address: string;
  /** Methods that may be called, for their retry policies. */
  methods: readonly DescMethod[];
  /** Largest message, in bytes. @default 4 MiB */
  maxMessageBytes?: number;
  /** Whether requests are compressed (gzip); answers that come compressed are always read. @default false */
  gzip?: boolean;
  /** Whether this process retries; false if the mesh around it does. @default true */
  retries?: boolean;
  /** Is called when a call has ended, with its error; `undefined` after success. */
  onEnd?: (method: DescMethod, error: ConnectError | undefined) => void;
}

/** Memory for messages that came before on streams of one method, in bytes. */
const maxKnownBytes = 16 * 1024 * 1024;

/** Creates the transport. Plaintext: TLS is the mesh's part. */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  const { Client: GrpcClient, compressionAlgorithms, credentials } = grpc();
  patchGrpc();
  const maxMessageBytes = options.maxMessageBytes ?? 4 << 20;
  const client = new GrpcClient(options.address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.service_config': JSON.stringify(serviceConfig(options.retries === false ? [] : options.methods)),
    'grpc.service_config_disable_resolution': 1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5_000,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.default_compression_algorithm':
      options.gzip === true ? compressionAlgorithms.gzip : compressionAlgorithms.identity,
  });
  const report = (method: DescMethod, status: StatusObject) => {
    options.onEnd?.(method, status.code === 0 ? undefined : statusToError(status));
  };
  const definitions = new Map<DescMethod, ReturnType<typeof methodDefinition>>();
  const define = (method: DescMethod) => {
    let definition = definitions.get(method);
    if (definition === undefined) {
      definition = methodDefinition(method);
      if (definition.responseStream) {
        definition.responseDeserialize = createMessageReader(method.output, maxKnownBytes);
      }
      definitions.set(method, definition);
    }
    return definition;
  };
  return {
    close: () => client.close(),
    unary: (method, signal, timeoutMs, header, input) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortedBy(signal));
        const { path, requestSerialize, responseDeserialize } = define(method);
        let responseHeader: Metadata | undefined;
        let trailer: Metadata | undefined;
        const deadline = deadlineOf(method, timeoutMs);
        if (deadline <= Date.now()) return reject(deadlineExceeded());
        const call = client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          wholeMessage(method.input, input),
          headersToMetadata(header),
          { deadline },
          (error: ServiceError | null, message?: Message) => {
            detach?.();
            if (error !== null) return reject(failure(error, signal, deadline, responseHeader));
            resolve({
              stream: false,
              service: method.parent,
              method,
              message: message as never,
              get header() {
                return responseHeader === undefined ? new Headers() : metadataToHeaders(responseHeader);
              },
              get trailer() {
                return trailer === undefined ? new Headers() : metadataToHeaders(trailer);
              },
            });
          },
        );
        call.on('metadata', (metadata) => {
          responseHeader = metadata;
        });
        call.on('status', (status) => {
          trailer = status.metadata;
          report(method, status);
        });
        const detach = cancelOn(signal, () => call.cancel());
      }),
    async stream(method, signal, timeoutMs, requestHeader, input) {
      if (signal?.aborted) throw abortedBy(signal);
      const deadline = deadlineOf(method, timeoutMs);
      if (deadline <= Date.now()) throw deadlineExceeded();
      const call = startStream(client, define(method), headersToMetadata(requestHeader), deadline);
      const detach = cancelOn(signal, () => call.cancel());
      let trailer: Metadata | undefined;
      call.on('status', (status) => {
        trailer = status.metadata;
        report(method, status);
      });
      const upload = pump(method, input, call);
      const messages = receive(call, method.output, signal, deadline, upload, detach);
      const header = await firstSign(call);
      return {
        stream: true,
        service: method.parent,
        method,
        message: messages as never,
        get header() {
          return header === undefined ? new Headers() : metadataToHeaders(header);
        },
        get trailer() {
          return trailer === undefined ? new Headers() : metadataToHeaders(trailer);
        },
      };
    },
  };
}

/** The grpc service config that a contract asks for: which methods are retried, and on what. */
export function serviceConfig(methods: readonly DescMethod[]): object {
  return {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: methods.filter(isRetryable).map((method) => ({
      name: [{ service: method.parent.typeName, method: method.name }],
      retryPolicy: {
        maxAttempts: policyOf(method).maxAttempts,
        initialBackoff: '0.05s',
        maxBackoff: '1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    })),
  };
}

function startStream(
  client: Client,
  definition: ReturnType<typeof methodDefinition>,
  metadata: Metadata,
  deadline: number,
): ClientDuplexStream<Message, Message> {
  // A duplex call carries every kind of streaming method; the wire is the same.
  return client.makeBidiStreamRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    metadata,
    {
      deadline,
    },
  ) as ClientDuplexStream<Message, Message>;
}

async function pump(
  method: DescMethod,
  input: AsyncIterable<unknown>,
  call: ClientDuplexStream<Message, Message>,
): Promise<unknown> {
  let ended = false;
  call.once('status', () => {
    ended = true;
  });
  try {
    for await (const message of input) {
      if (ended) return undefined;
      if (!call.write(wholeMessage(method.input, message))) await writable(call);
      if (ended) return undefined;
    }
    call.end();
    return undefined;
  } catch (error) {
    // The source of the upload failed: the call must not look complete to the server.
    call.cancel();
    return error;
  }
}

function writable(call: ClientDuplexStream<Message, Message>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('status', done);
      resolve();
    };
    call.once('drain', done);
    call.once('status', done);
  });
}

/** Messages that wait for a slow consumer before grpc-js is asked to stop reading. */
const receiveBuffer = 16;

// grpc-js reports a failure by an event beside the stream's end, so messages, end and status are joined here: every
// message that came is delivered before the error is thrown.
function receive(
  call: ClientDuplexStream<Message, Message>,
  schema: DescMessage,
  signal: AbortSignal | undefined,
  deadline: number,
  upload: Promise<unknown>,
  detach: (() => void) | undefined,
): AsyncIterableIterator<Message> & ReadyMessages<Message> {
  const queue: Message[] = [];
  let last: Message | undefined;
  let hasLeft = false;
  let ended = false;
  let status: StatusObject | undefined;
  let wake = () => {};
  call.on('data', (message: Message) => {
    if (hasLeft) return;
    queue.push(message);
    if (queue.length >= receiveBuffer) call.pause();
    wake();
  });
  call.on('end', () => {
    ended = true;
    wake();
  });
  call.on('status', (received) => {
    status = received;
    wake();
  });
  call.on('error', () => {});
  const leave = () => {
    if (hasLeft) return;
    hasLeft = true;
    if (status !== undefined) {
      detach?.();
    } else {
      // A cancel resets the stream, and an HTTP/2 server closes a connection, with every call on it, after too many resets.
      leaveStream(schema, signal?.aborted === true ? undefined : last, {
        cancel() {
          detach?.();
          call.cancel();
        },
        readToEnd(onEnd) {
          call.once('status', () => {
            onEnd();
            detach?.();
          });
          call.resume();
        },
      });
    }
    wake();
  };
  async function* messages(): AsyncGenerator<Message, void> {
    try {
      while (!hasLeft) {
        const message = queue.shift();
        if (message !== undefined) {
          if (call.isPaused() && queue.length < receiveBuffer / 2) call.resume();
          last = message;
          yield message;
        } else if (ended && status !== undefined) {
          if (status.code === 0) return;
          throw (
            (signal?.aborted ? undefined : await Promise.race([upload, undefined])) ?? failure(status, signal, deadline)
          );
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
    takeReady() {
      if (hasLeft || queue.length === 0) return [];
      last = queue.at(-1);
      const ready = queue.splice(0);
      if (call.isPaused()) call.resume();
      return ready;
    },
    return() {
      // Here, because a generator that has not begun, or that waits for a message, does not see its consumer leave.
      leave();
      return iterator.return();
    },
  };
}

// Waits for the response headers, or for the end of a call that has none.
function firstSign(call: ClientDuplexStream<Message, Message>): Promise<Metadata | undefined> {
  return new Promise((resolve) => {
    call.once('metadata', resolve);
    call.once('status', () => resolve(undefined));
  });
}

function deadlineOf(method: DescMethod, timeoutMs: number | undefined): number {
  const ms = timeoutOf(method, timeoutMs);
  return ms === undefined ? Number.POSITIVE_INFINITY : Date.now() + ms;
}

// Why a call failed: the caller's own abort comes first. A server that watches the deadline as well may cancel the call
// before grpc-js reports that it passed.
function failure(
  status: ServiceError | StatusObject,
  signal: AbortSignal | undefined,
  deadline: number,
  header?: Metadata,
): unknown {
  if (signal?.aborted) return abortedBy(signal);
  const isLate = (status.code as number) === Code.Canceled && Date.now() >= deadline;
  return statusToError(isLate ? { ...status, code: Code.DeadlineExceeded as number } : status, header);
}

function cancelOn(signal: AbortSignal | undefined, cancel: () => void): (() => void) | undefined {
  if (signal === undefined) return undefined;
  signal.addEventListener('abort', cancel, { once: true });
  return () => signal.removeEventListener('abort', cancel);
}
