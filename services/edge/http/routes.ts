import { Code } from '@connectrpc/connect';
import { LRUCache } from 'lru-cache';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { discardRest } from '#kit/http/server/body.ts';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import { cut, isGone } from '#kit/http/server/sender.ts';
import type { ConnectMount } from '#kit/rpc/connect/mount.ts';
import { a2aPath, cardPath } from '../a2a/card.ts';
import { sendAnthropicError } from '../anthropic/error.ts';
import type { ConsoleAssets } from '../console/assets.ts';
import { serveConsoleSession } from '../console/session.ts';
import type { DevKeys } from '../credentials/dev-keys.ts';
import { metadataPath } from '../mcp/oauth.ts';
import { sendOpenAiError } from '../openai/error.ts';
import type { AccessLog } from './access-log.ts';
import { sendError, sendJson } from './error.ts';
import type { JsonRoute } from './json-route.ts';
import type { EdgeLimits } from './limits.ts';
import { requestIdOf } from './request-id.ts';
import { inRequestSpan } from './trace.ts';

/** The handlers of each path. */
export interface RouteParts {
  rpc: ConnectMount;
  cors(request: NodeRequest, response: NodeResponse): boolean;
  assets: ConsoleAssets;
  chatStream: JsonRoute;
  completions: JsonRoute;
  textCompletions: JsonRoute;
  responses: JsonRoute;
  messages: JsonRoute;
  countTokens: JsonRoute;
  mcp: JsonRoute;
  a2a: { card: JsonRoute; jsonRpc: JsonRoute; rest: JsonRoute };
  /** Who issues tokens (RFC 9728). */
  resourceMetadata: JsonRoute;
  models(id?: string): JsonRoute;
  embeddings: JsonRoute;
  rerank: JsonRoute;
  /** Development keys that are valid now. */
  devKeys(): DevKeys | undefined;
  /** Counts a request that ended. */
  ended(route: string, status: number, code: Code | 0 | undefined): void;
  accessLog: AccessLog;
  /** Returns an id that no other request has. */
  newId(): string;
  limits: EdgeLimits;
  log: Logger;
}

/** Returns a function that serves each request of the port by its path. */
export function createRequestHandler(parts: RouteParts): (request: NodeRequest, response: NodeResponse) => void {
  const jsonRoutes = new Map([
    ['/v1/chat/stream', { name: '/v1/chat/stream', method: 'POST', serve: parts.chatStream }],
    ['/v1/chat/completions', { name: '/v1/chat/completions', method: 'POST', serve: parts.completions }],
    ['/v1/completions', { name: '/v1/completions', method: 'POST', serve: parts.textCompletions }],
    ['/v1/responses', { name: '/v1/responses', method: 'POST', serve: parts.responses }],
    ['/v1/messages', { name: '/v1/messages', method: 'POST', serve: parts.messages }],
    ['/v1/messages/count_tokens', { name: '/v1/messages/count_tokens', method: 'POST', serve: parts.countTokens }],
    ['/v1/embeddings', { name: '/v1/embeddings', method: 'POST', serve: parts.embeddings }],
    // Cohere's clients.
    ['/v2/rerank', { name: '/v2/rerank', method: 'POST', serve: parts.rerank }],
    ['/v1/rerank', { name: '/v1/rerank', method: 'POST', serve: parts.rerank }],
    [metadataPath, { name: metadataPath, method: 'GET', serve: parts.resourceMetadata }],
    [`${metadataPath}/mcp`, { name: metadataPath, method: 'GET', serve: parts.resourceMetadata }],
    [cardPath, { name: cardPath, method: 'GET', serve: parts.a2a.card }],
    [a2aPath, { name: a2aPath, method: 'POST', serve: parts.a2a.jsonRpc }],
    ['/v1/models', { name: '/v1/models', method: 'GET', serve: parts.models() }],
  ]);

  const count = (route: string, request: NodeRequest, response: NodeResponse) => {
    response.once('close', () => parts.ended(route, response.statusCode, parts.accessLog.codeOf(request)));
  };
  /** Serves a request inside its span, with its ids in the response and its line in the log. */
  const serveAs = (
    route: string,
    request: NodeRequest,
    response: NodeResponse,
    serve: () => Promise<void> | void,
  ): Promise<void> | void => {
    count(route, request, response);
    response.setHeader('x-request-id', requestIdOf(request, parts.newId));
    return inRequestSpan(route, request, response, () => {
      parts.accessLog.begin(request, response, route);
      return serve();
    });
  };
  const serve = async (given: string, request: NodeRequest, response: NodeResponse): Promise<void> => {
    if (parts.rpc.serves(given)) {
      return serveAs(given, request, response, () => parts.rpc.handle(given, request, response));
    }
    const path = tidyPath(given);
    if (path.startsWith(`${a2aPath}/`))
      return serveAs(`${a2aPath}/…`, request, response, () => parts.a2a.rest(request, response));
    const route = jsonRoutes.get(path) ?? modelRoute(path, parts);
    // The SDK of MCP refuses wrong verbs in its own form.
    if (path === '/mcp') return serveAs('/mcp', request, response, () => parts.mcp(request, response));
    if (route !== undefined) {
      return serveAs(route.name, request, response, () =>
        request.method === route.method ? route.serve(request, response) : refuseMethod(path, route.method, response),
      );
    }
    // Probes of a load balancer would fill the log.
    if (path === '/healthz') {
      count('other', request, response);
      return sendJson(response, 200, { status: 'ok' });
    }
    return serveAs(path === '/' || path.startsWith('/assets/') ? 'console' : 'other', request, response, () =>
      servePage(path, request, response),
    );
  };
  const servePage = async (path: string, request: NodeRequest, response: NodeResponse): Promise<void> => {
    if (path === '/console/session' && serveConsoleSession(parts.devKeys(), request, response)) return;
    if (await parts.assets.serve(path, request, response)) return;
    refuseRoute(path, request, response);
  };

  return (request, response) => {
    // A broken connection is an event of the request and of the response; their readers and writers handle it.
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

const plainPath = /^(?:\/[\w.-]+)+$/;

// The address of a server is the same in nearly all of its requests.
const authorities = new LRUCache<string, boolean>({ max: 100 });

function isAuthority(authority: string): boolean {
  let isValid = authorities.get(authority);
  if (isValid === undefined) {
    isValid = URL.canParse('/', `http://${authority}`);
    authorities.set(authority, isValid);
  }
  return isValid;
}

// A host and a path that are valid together: later code makes a URL of both.
function pathOf(request: NodeRequest): string | undefined {
  const authority = request.authority || request.headers.host;
  const url = request.url ?? '';
  if (!authority || !url.startsWith('/')) return undefined;
  const isValid = plainPath.test(url) ? isAuthority(authority) : URL.canParse(url, `http://${authority}`);
  return isValid ? url.split('?', 1)[0] : undefined;
}

// Clients join a base URL and a path in every way: slashes are forgiven, and a base URL that ends in /v1 before a path that begins
// with it.
function tidyPath(path: string): string {
  if (!/^\/+(?:v[12]\/|(?:mcp|a2a)\/$)/.test(path)) return path;
  return path
    .replace(/\/{2,}/g, '/')
    .replace(/^(?:\/v1)+(?=\/)/, '/v1')
    .replace(/(?<=.)\/$/, '');
}

function modelRoute(
  path: string,
  { models }: RouteParts,
): { name: string; method: string; serve: JsonRoute } | undefined {
  const id = /^\/v1\/models\/(.+)$/.exec(path)?.[1];
  if (id === undefined) return undefined;
  return { name: '/v1/models/<id>', method: 'GET', serve: models(decode(id)) };
}

// What is no percent-encoding stays as it is: it names no model either way.
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refuseMethod(path: string, allow: string, response: NodeResponse): void {
  const message = `${path} takes ${allow} only`;
  if (anthropicPath.test(path)) {
    const error = { type: 'invalid_request_error', message };
    sendJson(response, 405, { type: 'error', error, request_id: null }, { allow });
    return;
  }
  if (path !== '/v1/chat/stream') {
    const error = { message, type: 'invalid_request_error', param: null, code: 'method_not_allowed' };
    sendJson(response, 405, { error }, { allow });
    return;
  }
  sendJson(response, 405, { code: 'unimplemented', reason: 'NOT_IMPLEMENTED', message }, { allow });
}

/** Paths that a client of OpenAI requests when its base URL lacks /v1. */
const openAiPath = /^\/+(?:chat\/completions|completions|embeddings|rerank|models|responses|openai)(?:\/|$)/;

const anthropicPath = /^\/v1\/messages(?:\/|$)/;

function refuseRoute(path: string, request: NodeRequest, response: NodeResponse): void {
  const contentType = request.headers['content-type'] ?? '';
  if (contentType.startsWith('application/grpc')) {
    // Clients of gRPC read the status from the trailers, those of gRPC-Web from the headers if there is no body.
    const isWeb = contentType.startsWith('application/grpc-web');
    const status = { 'grpc-status': String(Code.Unimplemented), 'grpc-message': 'not served here' };
    response.writeHead(200, { 'content-type': contentType, ...(isWeb ? status : {}) });
    if (!isWeb) response.addTrailers(status);
    response.end();
    return;
  }
  const isMisplaced = openAiPath.test(path);
  const message = `nothing is served at ${path.slice(0, 200)}${adviceFor(path)}`;
  const error = rpcError(Code.NotFound, ErrorReason.RESOURCE_NOT_FOUND, message);
  if (anthropicPath.test(path)) sendAnthropicError(response, error);
  else if (isMisplaced || /^\/v[12]\//.test(path)) sendOpenAiError(response, error);
  else sendError(response, error);
}

/** Returns what to do instead, for paths that clients make of a wrong base URL. */
function adviceFor(path: string): string {
  if (openAiPath.test(path)) return ': paths of OpenAI begin with /v1, so end the base URL with /v1';
  if (/^\/+messages(?:\/|$)/.test(path))
    return ': the path of Anthropic is /v1/messages, so leave the base URL without a path';
  if (/^\/+\.well-known\/agent\.json$/.test(path)) return `: the card of A2A 1.0 is at ${cardPath}`;
  if (/^\/+(?:v1\/+)?(?:message:(?:send|stream)|tasks(?:\/|$)|a2a\b)/.test(path)) {
    return `: A2A is served below ${a2aPath}, as the card at ${cardPath} says`;
  }
  if (/^\/+(?:v1\/+mcp|sse)(?:\/|$)/.test(path)) return ': MCP is served at /mcp, over streamable HTTP';
  return '';
}
