import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server as GrpcJsServer } from '@grpc/grpc-js';
import { httpLimits } from '../../http/server/limits.ts';
import { portError } from '../../http/server/port-error.ts';
import type { Invocable } from '../invoke.ts';
import { grpc } from './grpc-js.ts';
import { mountGrpc } from './mount.ts';
import { allowResets, patchGrpc } from './patches.ts';
import type { GrpcTls } from './tls.ts';

/** A gRPC server that listens. */
export interface GrpcServer {
  /** Port that it listens on. */
  port: number;
  /** Accepts no new calls, waits at most `graceMs` for those in flight, and then cuts them. */
  drain(graceMs: number): Promise<void>;
}

/** Bounds of the connections of a gRPC server: as those of the edge. Tests make them small. */
export type GrpcConnectionLimits = Pick<
  typeof httpLimits,
  'maxConnections' | 'headersTimeoutMs' | 'sessionIdleTimeoutMs'
> & {
  /** Concurrent calls of a connection; a client of the mesh holds more back. One connection carries all calls of a process. */
  maxConcurrentStreams: number;
};

/** The bounds as they are in use. */
export const grpcConnectionLimits: Readonly<GrpcConnectionLimits> = Object.freeze({
  ...httpLimits,
  maxConcurrentStreams: 10_000,
});

/** The address to listen on, and the methods to serve. */
export interface GrpcServerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  methods: Iterable<Invocable>;
  /** Largest message, in bytes. */
  maxMessageBytes: number;
  /** @default plaintext */
  tls?: GrpcTls | undefined;
  /** @default grpcConnectionLimits */
  limits?: GrpcConnectionLimits;
}

/** Starts a server. Throws an error that says what to do if the port is taken. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { Server, ServerCredentials } = grpc();
  const limits = options.limits ?? grpcConnectionLimits;
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_send_message_length': options.maxMessageBytes,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.so_reuseport': 0,
    ...connectionOptions(limits),
  });
  allowResets(server);
  mountGrpc(server, options.methods, options.maxMessageBytes);
  const credentials = (await options.tls?.server()) ?? ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${options.host}:${options.port}`, credentials, (error, bound) => {
      if (error) reject(portError('gRPC', options.host, options.port, error, 'grpc.port'));
      else resolve(bound);
    });
  });
  limitConnections(server, limits);
  return {
    port,
    drain: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

/** Returns the bounds for which grpc-js has options. */
function connectionOptions({ sessionIdleTimeoutMs, maxConcurrentStreams }: GrpcConnectionLimits) {
  return {
    'grpc.max_connection_idle_ms': sessionIdleTimeoutMs,
    'grpc.max_concurrent_streams': maxConcurrentStreams,
  };
}

/**
 * Ends connections that make no first request in time, whatever they send, and refuses those beyond the bound. grpc-js has no options for it
 * and keeps its HTTP/2 servers to itself, so an unpatched process is without. Call it when the server has bound.
 */
function limitConnections(server: GrpcJsServer, { maxConnections, headersTimeoutMs }: GrpcConnectionLimits): void {
  if (!patchGrpc()) return;
  const { http2Servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  for (const http2 of http2Servers?.keys() ?? []) {
    http2.maxConnections = maxConnections;
    http2.on('session', (session: ServerHttp2Session) => {
      const timer = setTimeout(() => session.destroy(), headersTimeoutMs).unref();
      session.once('stream', () => clearTimeout(timer));
      session.once('close', () => clearTimeout(timer));
    });
  }
}
