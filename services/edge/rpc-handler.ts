import { type ConnectRouter, createConnectRouter, type HandlerContext } from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest } from '@connectrpc/connect-node';
import type { Logger } from '#kit/log.ts';
import { type BodyTimeouts, readBody } from './body.ts';
import { compressions } from './compression.ts';
import type { EdgeLimits } from './limits.ts';
import type { NodeRequest, NodeResponse } from './port.ts';
import { createSender, cut, isGone } from './sender.ts';

/** The rpcs of the edge. */
export interface RpcHandler {
  /** Whether a path is that of an rpc. */
  serves(path: string): boolean;
  handle(path: string, request: NodeRequest, response: NodeResponse): Promise<void>;
}

/** What is served, and within which bounds. */
export interface RpcHandlerOptions {
  routes(router: ConnectRouter): void;
  /** Runs before anything of a body is read; throws to refuse. */
  gate(context: HandlerContext): Promise<void>;
  limits: EdgeLimits;
  log: Logger;
}

/**
 * Serves rpcs over Connect, gRPC-Web and gRPC with Connect's own protocol handlers. What stands between them and Node is
 * ours, in place of `connectNodeAdapter`: a refused body does not cut the connection before the refusal is sent, a request
 * whose host is no host does not throw into the event loop, messages that are ready together leave in one write, and a
 * client that reads nothing is let go.
 */
export function createRpcHandler({ routes, gate, limits, log }: RpcHandlerOptions): RpcHandler {
  const router = createConnectRouter({
    acceptCompression: compressions,
    compressMinBytes: limits.compressMinBytes,
    readMaxBytes: limits.maxMessageBytes,
    requestGate: gate,
  });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    serves: (path) => handlers.has(path),
    async handle(path, request, response) {
      const handler = handlers.get(path) as UniversalHandler;
      try {
        const body = readBody(request, timeoutsOf(handler, limits));
        const universal = universalRequestFromNodeRequest(request, response, undefined, undefined);
        await respond(await handler({ ...universal, body }), response, limits);
      } catch (error) {
        // An error of the rpc itself is part of the response; this is one of the connection, or a bug.
        if (!isGone(response)) {
          log.warn({ rpc: path, err: error }, 'response failed');
          cut(response);
        }
      }
    },
  };
}

function timeoutsOf({ method }: UniversalHandler, limits: EdgeLimits): BodyTimeouts {
  const isUpload = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  return isUpload
    ? { silenceMs: limits.uploadIdleTimeoutMs }
    : { silenceMs: limits.bodyTimeoutMs, totalMs: limits.bodyTimeoutMs };
}

async function respond(universal: UniversalServerResponse, response: NodeResponse, limits: EdgeLimits): Promise<void> {
  const iterator = universal.body?.[Symbol.asyncIterator]();
  const sender = createSender(response, limits);
  try {
    // Headers go with the first bytes: until then, the implementation may still set some.
    let chunk = await iterator?.next();
    response.writeHead(universal.status, nodeHeaders(universal.header));
    while (iterator !== undefined && chunk?.done === false) {
      const behind = sender.send(chunk.value);
      if (behind !== undefined) await behind;
      chunk = await iterator.next();
    }
    if (universal.trailer !== undefined) response.addTrailers(nodeHeaders(universal.trailer));
    await sender.end();
  } catch (error) {
    // Connect's handler hears why, and ends the call.
    iterator?.throw?.(error).catch(() => {});
    throw error;
  } finally {
    iterator?.return?.().catch(() => {});
  }
}

function nodeHeaders(headers: HeadersInit | undefined): Record<string, string> {
  return headers === undefined ? {} : Object.fromEntries(headers instanceof Headers ? headers : new Headers(headers));
}
