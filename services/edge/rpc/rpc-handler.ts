import type { DescMethod } from '@bufbuild/protobuf';
import {
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Logger } from '#kit/base/log.ts';
import type { RequestBounds } from '#kit/rpc/policy.ts';
import { type BodyTimeouts, readBody } from '../http/body.ts';
import { workFor } from '../http/json-route.ts';
import type { EdgeLimits } from '../http/limits.ts';
import type { NodeRequest, NodeResponse } from '../http/port.ts';
import { createSender, cut, isGone, type Sender } from '../http/sender.ts';
import { compressions } from './compression.ts';
import { isPlainConnectStream, type StreamedMethod, serveConnectStream } from './connect-stream.ts';
import { type JsonOptions, laneKey, throughLane } from './fast-lane.ts';
import { guardBody } from './guarded-body.ts';
import { toHeaders } from './headers.ts';

/** The request as Node has it, for the gate. */
export const requestKey = createContextKey<NodeRequest | undefined>(undefined, { description: 'request' });

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
  /** Bounds of a request message. */
  boundsOf(method: DescMethod): RequestBounds;
  log: Logger;
  jsonOptions?: JsonOptions;
}

/**
 * Serves rpcs over Connect, gRPC-Web and gRPC with Connect's own protocol handlers. What stands between them and Node is
 * ours, in place of `connectNodeAdapter`: a refused body does not cut the connection before the refusal is sent, a request
 * whose host is no host does not throw into the event loop, messages that are ready together leave in one write, and a
 * client that reads nothing is let go.
 */
export function createRpcHandler({
  routes,
  gate,
  limits,
  boundsOf,
  log,
  jsonOptions = {},
}: RpcHandlerOptions): RpcHandler {
  const router = createConnectRouter({
    acceptCompression: compressions,
    compressMinBytes: limits.compressMinBytes,
    readMaxBytes: limits.maxMessageBytes,
    requestGate: gate,
    jsonOptions,
  });
  const streams = new Map<string, StreamedMethod>();
  routes(keepingStreams(router, streams, limits, jsonOptions));
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    serves: (path) => handlers.has(path),
    async handle(path, request, response) {
      const handler = handlers.get(path) as UniversalHandler;
      const streamed = streams.get(path);
      try {
        if (streamed !== undefined && isPlainConnectStream(request)) {
          const bounds = boundsOf(streamed.method);
          const contextValues = createContextValues().set(requestKey, request);
          await serveConnectStream(streamed, request, response, { gate, limits, bounds, contextValues, jsonOptions });
          return;
        }
        const sender = createSender(response, limits);
        const header = toHeaders(request);
        const body = readBody(request, timeoutsOf(handler, limits));
        const universal = toUniversalRequest(
          request,
          response,
          header,
          guardBody(handler.method, header, body, boundsOf(handler.method)),
        );
        universal.contextValues?.set(requestKey, request).set(laneKey, sender);
        await respond(await handler(universal), response, sender);
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

/** The router, with its streamed methods kept in `streams` and sent on the fast lane where Connect's handlers serve them. */
function keepingStreams(
  router: ConnectRouter,
  streams: Map<string, StreamedMethod>,
  limits: EdgeLimits,
  jsonOptions: JsonOptions,
): ConnectRouter {
  const rpc = (method: DescMethod, implementation: StreamedMethod['implementation'], ...rest: never[]) => {
    if (method.methodKind !== 'server_streaming') return router.rpc(method, implementation as never, ...rest);
    streams.set(`/${method.parent.typeName}/${method.name}`, {
      method: method as StreamedMethod['method'],
      implementation,
    });
    const onLane: StreamedMethod['implementation'] = (input, context) =>
      throughLane(implementation(input, context), method.output, context, limits.compressMinBytes, jsonOptions);
    return router.rpc(method, onLane as never, ...rest);
  };
  return { ...router, rpc: rpc as ConnectRouter['rpc'] };
}

function timeoutsOf({ method }: UniversalHandler, limits: EdgeLimits): BodyTimeouts {
  const isUpload = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  return isUpload
    ? { silenceMs: limits.uploadIdleTimeoutMs }
    : { silenceMs: limits.bodyTimeoutMs, totalMs: limits.bodyTimeoutMs };
}

async function respond(universal: UniversalServerResponse, response: NodeResponse, sender: Sender): Promise<void> {
  const iterator = universal.body?.[Symbol.asyncIterator]();
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

function toUniversalRequest(
  request: NodeRequest,
  response: NodeResponse,
  header: Headers,
  body: AsyncIterable<Uint8Array>,
): UniversalServerRequest {
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? '',
    url: `http://${request.authority || request.headers.host}${request.url}`,
    header,
    body,
    signal: workFor(response).signal,
    contextValues: createContextValues(),
  };
}

function nodeHeaders(headers: HeadersInit | undefined): Record<string, string> {
  return headers === undefined ? {} : Object.fromEntries(headers instanceof Headers ? headers : new Headers(headers));
}
