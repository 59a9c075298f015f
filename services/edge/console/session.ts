import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import type { DevKeys } from '../credentials/dev-keys.ts';
import { isLoopback } from '../credentials/loopback.ts';
import { sendJson } from '../http/error.ts';

/**
 * `GET /console/session`: returns the development keys to the console's own page, on this machine. Returns false if the page must not
 * have them: it asks for a key then.
 *
 * A page from elsewhere can make a browser send this request, so four things must hold: no proxy has passed it on; the connection is from this
 * machine; the name that was asked for means this machine (a foreign name that was made to point here, DNS rebinding, does
 * not); and the browser says of no other origin that it asks.
 */
export function serveConsoleSession(keys: DevKeys | undefined, request: NodeRequest, response: NodeResponse): boolean {
  if (keys === undefined || request.method !== 'GET' || !isOwnPage(request)) return false;
  sendJson(
    response,
    200,
    { key: keys.dev, customer_key: keys.customer },
    { 'cross-origin-resource-policy': 'same-origin', vary: 'origin, sec-fetch-site' },
  );
  return true;
}

/** Headers of proxies. A page that comes through one is another machine's, whatever the proxy writes into the others. */
const proxyHeaders = ['forwarded', 'via', 'x-real-ip', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip'];

const isFromProxy = (name: string) => name.startsWith('x-forwarded') || proxyHeaders.includes(name);

function isOwnPage(request: NodeRequest): boolean {
  if (Object.keys(request.headers).some(isFromProxy)) return false;
  const authority = request.authority || request.headers.host;
  const url =
    authority !== undefined && URL.canParse(`http://${authority}`) ? new URL(`http://${authority}`) : undefined;
  if (url === undefined || !isLoopback(url.hostname)) return false;
  if (!isLoopback(request.socket.remoteAddress ?? '')) return false;
  const { origin } = request.headers;
  if (origin !== undefined && origin !== url.origin) return false;
  const site = request.headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none';
}
