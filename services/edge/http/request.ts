import type { NodeRequest } from '#kit/http/server/port.ts';
import type { HeaderReader } from '../credentials/authenticate.ts';

/** Reads the headers of a request; repeated ones joined. */
export function headersOf(request: NodeRequest): HeaderReader {
  return (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
}

/**
 * Returns the network address by which callers without credentials are counted: an IPv4 address, or the first 64 bits of an
 * IPv6 address, since one host usually owns all addresses below them.
 */
export function networkOf(request: NodeRequest): string {
  const address = request.socket.remoteAddress ?? '';
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length);
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const first = head.split(':').filter(Boolean);
  const last = tail.split(':').filter(Boolean);
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return [...first, ...zeros, ...last].slice(0, 4).join(':');
}
