import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import { isLoopback } from '../credentials/loopback.ts';
import { errorHeaders, sendError, sendJson } from '../http/error.ts';
import type { JsonRoute } from '../http/json-route.ts';

// OAuth 2.0 Protected Resource Metadata (RFC 9728): a client that gets 401 learns here who issues tokens for this server. Clients are
// registered with the identity provider by its operator; there is no dynamic registration.

/** Path of the metadata; with the path of the resource behind it, as section 3.1 has it, they are those of that resource. */
export const metadataPath = '/.well-known/oauth-protected-resource';

/** What the metadata are made of, as it is now. */
export interface OAuthSettings {
  /** Address of the edge; `undefined`: that of the request. */
  publicUrl: string | undefined;
  /** Who issues tokens; `undefined`: no one, callers have keys. */
  issuer: string | undefined;
}

/** `GET /.well-known/oauth-protected-resource/mcp`. Open to everyone: it says only who issues tokens. */
export function createResourceMetadata(settings: () => OAuthSettings): JsonRoute {
  return async (request, response) => {
    const { issuer } = settings();
    if (issuer === undefined) {
      const message = 'callers of this server have keys, not tokens: send "authorization: Bearer <key>"';
      return sendError(response, rpcError(Code.NotFound, ErrorReason.RESOURCE_NOT_FOUND, message));
    }
    sendJson(response, 200, {
      resource: `${baseOf(request, settings())}/mcp`,
      authorization_servers: [issuer],
      bearer_methods_supported: ['header'],
      resource_name: 'ragmesh',
    });
  };
}

/** Adds to the headers of an error what a client needs to get a token (RFC 9728, section 5.1). */
export function challengeHeaders(
  error: ConnectError,
  request: NodeRequest,
  settings: OAuthSettings,
): Record<string, string> {
  const headers = errorHeaders(error);
  if (error.code !== Code.Unauthenticated || settings.issuer === undefined) return headers;
  const challenge = `Bearer resource_metadata="${baseOf(request, settings)}${metadataPath}/mcp"`;
  return { ...headers, 'www-authenticate': challenge };
}

/** Returns the address by which a request reaches the edge. The host was checked: it is part of a valid URL. */
export function baseOf(request: NodeRequest, { publicUrl }: OAuthSettings): string {
  return publicUrl ?? new URL(`http://${request.authority || request.headers.host}`).origin;
}

/**
 * Whether a browser's page of this origin may call: a foreign name that was made to point here (DNS rebinding) may not. Over a loopback connection,
 * pages of this machine may.
 */
export function isOriginAllowed(
  { headers: { origin }, socket }: NodeRequest,
  { publicUrl, corsOrigins }: { publicUrl: string | undefined; corsOrigins: readonly string[] },
): boolean {
  if (origin === undefined || origin === publicUrl || corsOrigins.includes('*') || corsOrigins.includes(origin))
    return true;
  const host = URL.canParse(origin) ? new URL(origin).hostname : '';
  return isLoopback(host) && isLoopback(socket.remoteAddress ?? '');
}

/** Sends an error of HTTP as an error of JSON-RPC without a request. */
export function sendRpcFailure(
  response: NodeResponse,
  status: number,
  message: string,
  headers: Record<string, string> = {},
): void {
  sendJson(response, status, { jsonrpc: '2.0', id: null, error: { code: -32_000, message } }, headers);
}
