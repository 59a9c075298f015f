import type { DescMethod } from '@bufbuild/protobuf';
import type { ConnectError, Transport } from '@connectrpc/connect';
import { internal } from '../../base/errors.ts';
import { createCallTransport } from '../call-transport.ts';
import { isRetryable, policyOf } from '../policy.ts';
import { type Definition, openCall } from './client-call.ts';
import { grpc } from './grpc-js.ts';
import { createMessageReader } from './known-messages.ts';
import { patchGrpc } from './patches.ts';
import { createSilenceBreaker } from './silence-breaker.ts';
import type { GrpcTls } from './tls.ts';
import { methodDefinition } from './wire.ts';

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
  /** Whether each call has a span. @default false */
  tracing?: boolean;
  /** @default plaintext */
  tls?: GrpcTls | undefined;
  /** Whether this process retries; false if the mesh around it does. @default true */
  retries?: boolean;
  /** Is called when calls end immediately because the process does not reply, and when it replies again. */
  onBreaker?: (isOpen: boolean) => void;
  /** Is called when a call has ended, with its error; `undefined` after success. */
  onEnd?: (method: DescMethod, error: ConnectError | undefined) => void;
}

/** Memory for messages that came before on streams of one method, in bytes. */
const maxKnownBytes = 16 * 1024 * 1024;

/** Creates the transport. In a mesh it is plaintext: TLS is the mesh's part. */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  const { Channel, compressionAlgorithms, connectivityState, credentials } = grpc();
  patchGrpc();
  const maxMessageBytes = options.maxMessageBytes ?? 4 << 20;
  const channel = new Channel(options.address, options.tls?.client() ?? credentials.createInsecure(), {
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
  const breaker = createSilenceBreaker(
    (isOpen) => options.onBreaker?.(isOpen),
    () => channel.getConnectivityState(false) === connectivityState.READY,
  );
  const definitions = new Map<DescMethod, Definition>();
  const define = (method: DescMethod): Definition => {
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
  const transport = createCallTransport(
    (init) => openCall({ channel, define, breaker, isTraced: options.tracing === true, onEnd: options.onEnd }, init),
    (method, bytes) => {
      try {
        return define(method).responseDeserialize(bytes);
      } catch (error) {
        throw internal(error);
      }
    },
  );
  return { ...transport, close: () => channel.close() };
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
