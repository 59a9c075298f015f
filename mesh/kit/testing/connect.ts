import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from '@connectrpc/connect-node';
import { createLogger } from '../base/log.ts';
import { discardRest } from '../http/server/body.ts';
import { openPort } from '../http/server/port.ts';
import { createClient } from '../rpc/client.ts';
import { connectLimits } from '../rpc/connect/limits.ts';
import { mountConnect } from '../rpc/connect/mount.ts';
import type { Invocable } from '../rpc/invoke.ts';
import { requestBoundsOf } from '../rpc/policy.ts';

/** What a client of the Connect mount speaks; "connect" asks for no compression, as a browser's page does. */
export type ConnectFace = 'connect' | 'connect, compressed' | 'grpc-web' | 'grpc over http';

/** A server of the Connect mount. */
export interface ConnectServer extends AsyncDisposable {
  port: number;
  client<Desc extends DescService>(contract: Desc, face: ConnectFace): Client<Desc>;
}

/** Serves methods by the Connect mount on a free port of 127.0.0.1. */
export async function startConnectServer(methods: Iterable<Invocable>): Promise<ConnectServer> {
  const limits = connectLimits;
  const mount = mountConnect({
    methods,
    gate: async () => {},
    limits,
    boundsOf: (method) => requestBoundsOf(method, limits.maxMessageBytes),
    log: createLogger('silent'),
  });
  const { port, close } = await openPort({
    name: 'test',
    setting: 'port',
    host: '127.0.0.1',
    port: 0,
    limits,
    handle(request, response) {
      request.on('error', () => {});
      response.on('error', () => {});
      const path = request.url?.split('?', 1)[0] ?? '';
      if (!mount.serves(path)) return response.writeHead(404).end();
      void mount.handle(path, request, response).finally(() => discardRest(request, limits.discardTimeoutMs));
    },
  });
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const options = { baseUrl, httpVersion: '2' as const, sessionManager };
  const transports = {
    connect: () => createConnectTransport({ ...options, acceptCompression: [] }),
    'connect, compressed': () => createConnectTransport(options),
    'grpc-web': () => createGrpcWebTransport(options),
    'grpc over http': () => createGrpcTransport(options),
  };
  return {
    port,
    client: (contract, face) => createClient(contract, transports[face]()),
    async [Symbol.asyncDispose]() {
      sessionManager.abort();
      await close();
    },
  };
}
