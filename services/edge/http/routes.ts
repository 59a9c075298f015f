import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { discardRest } from '#kit/http/server/body.ts';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import { cut, isGone } from '#kit/http/server/sender.ts';
import type { ConnectMount } from '#kit/rpc/connect/mount.ts';
import type { ConsoleAssets } from '../console/assets.ts';
import { serveConsoleSession } from '../console/session.ts';
import type { DevKeys } from '../credentials/dev-keys.ts';
import { sendOpenAiError } from '../openai/error.ts';
import { sendError, sendJson } from './error.ts';
import type { JsonRoute } from './json-route.ts';
import type { EdgeLimits } from './limits.ts';
import { inRequestSpan } from './trace.ts';

/** What answers to which path. */
export interface RouteParts {
  rpc: ConnectMount;
  cors(request: NodeRequest, response: NodeResponse): boolean;
  assets: ConsoleAssets;
  chatStream: JsonRoute;
  completions: JsonRoute;
  models(id?: string): JsonRoute;
  embeddings: JsonRoute;
  rerank: JsonRoute;
  /** Development keys that are valid now. */
  devKeys(): DevKeys | undefined;
  /** Told of each request that ended. */
  ended(route: string, status: number): void;
  limits: EdgeLimits;
  log: Logger;
}

/** Sends each request of the port to what answers it. */
export function createRequestHandler(parts: RouteParts): (request: NodeRequest, response: NodeResponse) => void {
  const jsonRoutes = new Map([
    ['/v1/chat/stream', { name: '/v1/chat/stream', method: 'POST', serve: parts.chatStream }],
    ['/v1/chat/completions', { name: '/v1/chat/completions', method: 'POST', serve: parts.completions }],
    ['/v1/embeddings', { name: '/v1/embeddings', method: 'POST', serve: parts.embeddings }],
    ['/v1/rerank', { name: '/v1/rerank', method: 'POST', serve: parts.rerank }],
    ['/v1/models', { name: '/v1/models', method: 'GET', serve: parts.models() }],
  ]);

  const count = (route: string, response: NodeResponse) => {
    response.once('close', () => parts.ended(route, response.statusCode));
  };
  const serve = async (path: string, request: NodeRequest, response: NodeResponse): Promise<void> => {
    if (parts.rpc.serves(path)) {
      count(path, response);
      return inRequestSpan(path, request, response, () => parts.rpc.handle(path, request, response));
    }
    const route = jsonRoutes.get(path) ?? modelRoute(path, parts);
    if (route !== undefined) {
      count(route.name, response);
      if (request.method !== route.method) {
        refuseMethod(path, route.method, response);
        return;
      }
      return inRequestSpan(route.name, request, response, () => route.serve(request, response));
    }
    count(path === '/' || path.startsWith('/assets/') ? 'console' : 'other', response);
    if (path === '/healthz') return sendJson(response, 200, { status: 'ok' });
    if (path === '/console/session' && serveConsoleSession(parts.devKeys(), request, response)) return;
    if (await parts.assets.serve(path, request, response)) return;
    refuseRoute(path, request, response);
  };

  return (request, response) => {
    // A broken connection shows in the request and the response at once; whoever works on them hears of it there.
    request.on('error', () => {});
    response.on('error', () => {});
    if (parts.cors(request, response)) return discardRest(request, parts.limits.discardTimeoutMs);
    const path = pathOf(request);
    if (path === undefined) return sendError(response, invalidArgument('the request names no valid host and path'));
    serve(path, request, response)
      .catch((error) => {
        parts.log.error({ route: path, err: error }, 'request failed');
        if (isGone(response)) return;
        if (response.headersSent) cut(response);
        else sendError(response, error);
      })
      .finally(() => discardRest(request, parts.limits.discardTimeoutMs));
  };
}

// Only what is a host and a path goes on: what comes later makes a URL of both.
function pathOf(request: NodeRequest): string | undefined {
  const authority = request.authority || request.headers.host;
  const url = request.url ?? '';
  if (!authority || !url.startsWith('/') || !URL.canParse(url, `http://${authority}`)) return undefined;
  return url.split('?', 1)[0];
}

function modelRoute(
  path: string,
  { models }: RouteParts,
): { name: string; method: string; serve: JsonRoute } | undefined {
  const id = /^\/v1\/models\/(.+)$/.exec(path)?.[1];
  if (id === undefined) return undefined;
  return { name: '/v1/models/<id>', method: 'GET', serve: models(decode(id)) };
}

// What is not the percent-encoding of any text stays as it is: it names no model either way.
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refuseMethod(path: string, allow: string, response: NodeResponse): void {
  const message = `${path} takes ${allow} only`;
  if (path !== '/v1/chat/stream') {
    const error = { message, type: 'invalid_request_error', param: null, code: 'method_not_allowed' };
    sendJson(response, 405, { error }, { allow });
    return;
  }
  sendJson(response, 405, { code: 'unimplemented', reason: 'NOT_IMPLEMENTED', message }, { allow });
}

function refuseRoute(path: string, request: NodeRequest, response: NodeResponse): void {
  const contentType = request.headers['content-type'] ?? '';
  if (contentType.startsWith('application/grpc')) {
    // Clients of gRPC look for the status in trailers, those of gRPC-Web, where there is no body, in the headers.
    const isWeb = contentType.startsWith('application/grpc-web');
    const status = { 'grpc-status': String(Code.Unimplemented), 'grpc-message': 'not served here' };
    response.writeHead(200, { 'content-type': contentType, ...(isWeb ? status : {}) });
    if (!isWeb) response.addTrailers(status);
    response.end();
    return;
  }
  const error = rpcError(Code.NotFound, ErrorReason.RESOURCE_NOT_FOUND, `nothing is served at ${path.slice(0, 200)}`);
  if (path.startsWith('/v1/')) sendOpenAiError(response, error);
  else sendError(response, error);
}
