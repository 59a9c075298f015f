import { cors } from '@connectrpc/connect';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';

const allowMethods = [...cors.allowedMethods, 'OPTIONS'].join(', ');
// The star means all other headers, but never for `authorization` (Fetch standard, section 4.9).
const allowHeaders = [...cors.allowedHeaders, 'Authorization', 'X-Api-Key', '*'].join(', ');
const exposeHeaders = [
  ...cors.exposedHeaders,
  'Retry-After',
  'X-Request-Id',
  'X-Trace-Id',
  'X-Ragmesh-Model',
  'X-Ragmesh-Provider',
  ...['Limit', 'Remaining', 'Reset'].flatMap((part) => [`X-RateLimit-${part}-Requests`, `X-RateLimit-${part}-Tokens`]),
].join(', ');

/** Time for which a browser may cache the answer to a preflight, in seconds. */
const maxAgeSeconds = 7200;

/**
 * Allows pages of the configured origins to call (CORS). Returns a function that sets the headers of a response, and answers
 * preflights: true if the request is finished. Credentials are headers, never cookies, so "*" is no risk by itself.
 */
export function createCors(origins: readonly string[]): (request: NodeRequest, response: NodeResponse) => boolean {
  const any = origins.includes('*');
  const allowed = new Set(origins);
  return (request, response) => {
    const { origin } = request.headers;
    const isPreflight = request.method === 'OPTIONS';
    if (origin !== undefined && (any || allowed.has(origin))) {
      response.setHeader('access-control-allow-origin', any ? '*' : origin);
      response.setHeader('access-control-expose-headers', exposeHeaders);
      if (isPreflight) {
        response.setHeader('access-control-allow-methods', allowMethods);
        response.setHeader('access-control-allow-headers', allowHeaders);
        response.setHeader('access-control-max-age', String(maxAgeSeconds));
      }
    }
    if (allowed.size > 0 && !any) response.setHeader('vary', 'origin');
    if (!isPreflight) return false;
    response.writeHead(204);
    response.end();
    return true;
  };
}
