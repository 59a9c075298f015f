import type { AuthInfo, McpHttpHandler, McpServerFactory } from '@modelcontextprotocol/server';
import { toRpcError } from '#kit/base/errors.ts';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import { createSender, isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { Admission } from '../admission/admission.ts';
import { httpStatusOf } from '../http/error.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type JsonRoute, type JsonRouteDeps, noteFailure } from '../http/json-route.ts';
import { type EdgeLimits, forLargeBodies } from '../http/limits.ts';
import type { McpCall, McpClients } from './call.ts';
import { challengeHeaders, isOriginAllowed, type OAuthSettings, sendRpcFailure } from './oauth.ts';

/** What the route is set to, as it is now. */
export interface McpSettings extends OAuthSettings {
  corsOrigins: readonly string[];
}

/** Makes the server of a request. Loaded with the first request: most processes have none. */
export type LoadServer = () => Promise<(call: McpCall) => ReturnType<McpServerFactory>>;

/** Streams of subscriptions that may be open in this process; nothing changes on them. */
const maxSubscriptions = 100;

const loadOurs: LoadServer = async () => (await import('./server.ts')).createMcpServer;

/**
 * `POST /mcp`: MCP over streamable HTTP without sessions, for clients of the revision 2026-07-28 and of those of 2025. Each request has a
 * server of its own, which acts as its caller.
 */
export function createMcpRoute(
  clients: McpClients,
  deps: JsonRouteDeps,
  settings: () => McpSettings,
  load: LoadServer = loadOurs,
): JsonRoute {
  const { admit, running, limits } = deps;
  const bodyLimits = forLargeBodies(limits);
  const calls = new WeakMap<AuthInfo, McpCall>();
  let handler: Promise<McpHttpHandler> | undefined;

  const open = async (): Promise<McpHttpHandler> => {
    const [{ createMcpHandler }, createServer] = await Promise.all([import('@modelcontextprotocol/server'), load()]);
    const factory: McpServerFactory = ({ authInfo }) => {
      const call = authInfo && calls.get(authInfo);
      if (call === undefined) throw new Error('a request came without its caller');
      return createServer(call);
    };
    return createMcpHandler(factory, { maxSubscriptions, keepAliveMs: limits.heartbeatMs });
  };

  return async (request, response) => {
    const { signal, abort } = workFor(response);
    try {
      if (!isOriginAllowed(request, settings())) {
        return sendRpcFailure(response, 403, 'the origin of the page is not among edge.cors_origins');
      }
      const admission = await admit(request, signal);
      const parsedBody = request.method === 'POST' ? await readJsonBody(request, bodyLimits) : undefined;
      const authInfo = toAuthInfo(admission);
      calls.set(authInfo, {
        admission,
        clients,
        as: (callSignal) => actAs(admission.token, { signal: AbortSignal.any([signal, callSignal]) }),
        begin: () => running.begin(admission.principal),
        failed: (tool, error) => noteFailure(deps, `/mcp ${tool}`, request, error),
      });
      handler ??= open();
      const { fetch } = await handler;
      const reply = await fetch(toWebRequest(request, parsedBody, signal), { authInfo, parsedBody });
      await sendReply(reply, response, limits);
    } catch (thrown) {
      abort();
      if (isGone(response)) return;
      noteFailure(deps, '/mcp', request, thrown);
      const error = toRpcError(thrown);
      if (response.headersSent) return void response.destroy();
      sendRpcFailure(response, httpStatusOf(error), error.rawMessage, challengeHeaders(error, request, settings()));
    }
  };
}

function toAuthInfo({ token, keyId, principal }: Admission): AuthInfo {
  return { token, clientId: keyId ?? principal.user, scopes: [] };
}

function toWebRequest(request: NodeRequest, body: unknown, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    // Names with a colon are HTTP/2's own. The credentials are checked, and nothing behind needs them.
    if (name.startsWith(':') || name === 'authorization' || name === 'x-api-key' || value === undefined) continue;
    headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  headers.delete('content-length');
  const method = request.method ?? 'GET';
  return new Request(new URL(request.url ?? '/', `http://${request.authority || request.headers.host}`), {
    ...{ method, headers, signal },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function sendReply(reply: Response, response: NodeResponse, limits: EdgeLimits): Promise<void> {
  // HTTP/2 has no headers about the connection.
  reply.headers.delete('connection');
  response.writeHead(reply.status, {
    ...Object.fromEntries(reply.headers),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
  });
  const sender = createSender(response, limits);
  if (reply.body !== null) {
    for await (const bytes of reply.body) await sender.send(bytes);
  }
  await sender.end();
}
