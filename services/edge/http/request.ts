import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { type Networks, plainAddress } from '#kit/http/networks.ts';
import type { HeaderReader } from '../credentials/authenticate.ts';

/** What a caller is admitted by: the headers of a request, and the address of its connection. */
export interface RequestHead {
  readonly headers: Readonly<IncomingHttpHeaders>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Reads the headers of a request; repeated ones joined. */
export function headersOf(request: RequestHead): HeaderReader {
  return (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
}

/** Most proxies before the edge. */
const maxHops = 32;

/**
 * Returns the address of the caller. If the connection comes from a trusted proxy, it is the last address in `x-forwarded-for` that is not
 * one; what is before that, a caller may have written itself. A part that is no address ends the search at the proxy that sent it.
 */
export function addressOf(request: RequestHead, trustedProxies: Networks): string {
  let address = plainAddress(request.socket.remoteAddress ?? '');
  if (!trustedProxies.has(address)) return address;
  const hops = (headersOf(request)('x-forwarded-for') ?? '').split(',').slice(-maxHops);
  for (const hop of hops.toReversed()) {
    const given = plainAddress(hop.trim());
    if (isIP(given) === 0) return address;
    address = given;
    if (!trustedProxies.has(address)) return address;
  }
  return address;
}

/**
 * Returns the network address by which callers without credentials are counted: an IPv4 address, or the first 64 bits of an
 * IPv6 address, since one host usually owns all addresses below them.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const first = head.split(':').filter(Boolean);
  const last = tail.split(':').filter(Boolean);
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return [...first, ...zeros, ...last].slice(0, 4).join(':');
}
