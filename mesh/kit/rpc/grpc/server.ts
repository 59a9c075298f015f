import { portError } from '../../http/server/port-error.ts';
import type { Invocable } from '../invoke.ts';
import { grpc } from './grpc-js.ts';
import { mountGrpc } from './mount.ts';
import { allowResets } from './patches.ts';
import type { GrpcTls } from './tls.ts';

/** A gRPC server that listens. */
export interface GrpcServer {
  /** Port that it listens on. */
  port: number;
  /** Accepts no new calls, waits at most `graceMs` for those in flight, and then cuts them. */
  drain(graceMs: number): Promise<void>;
}

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
}

/** Starts a server. Throws an error that says what to do if the port is taken. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { Server, ServerCredentials } = grpc();
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_send_message_length': options.maxMessageBytes,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.so_reuseport': 0,
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
