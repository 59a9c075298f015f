import ip from 'ipaddr.js';
import { ConfigError } from '../../base/config-error.ts';

/** Internal hosts that calls to user-given addresses may reach nevertheless. */
export interface AllowedHosts {
  /** Reports whether a host may have any address. `host`: a name or an address without brackets. */
  allowsHost(host: string, port: number): boolean;
  /** Reports whether an address is allowed whatever name led to it. */
  allowsAddress(address: string): boolean;
}

/** A host of Azure that gives secrets to virtual machines; its address looks public. */
const azureHost = '168.63.129.16';
/** Of all IPv6 addresses, only these are assigned for use on the internet (RFC 4291). */
const globalUnicast = ip.parseCIDR('2000::/3') as [ip.IPv6, number];

/**
 * Reports whether an address is on the public internet. Private, shared, loopback, link-local (metadata of clouds), multicast, reserved and
 * unspecified addresses are not; an IPv4 address inside an IPv6 one is judged by itself if it is mapped, and refused in every other form.
 */
export function isPublicAddress(address: string): boolean {
  if (!ip.isValid(address) || address.includes('%')) return false;
  const parsed = ip.process(address);
  if (parsed.range() !== 'unicast' || parsed.toString() === azureHost) return false;
  return parsed.kind() === 'ipv4' || (parsed as ip.IPv6).match(globalUnicast);
}

/**
 * Reads a list of allowed hosts: names and addresses, each with a port or without ("minio.internal:9000", "10.1.2.3", "[fd00::1]:80"), and
 * ranges of addresses ("10.1.0.0/16"). Throws ConfigError at `path` for anything else.
 */
export function readAllowedHosts(entries: readonly string[], path: string): AllowedHosts {
  const hosts = new Set<string>();
  const ranges: [ip.IPv4 | ip.IPv6, number][] = [];
  for (const [index, entry] of entries.entries()) {
    if (ip.isValidCIDR(entry)) {
      ranges.push(ip.parseCIDR(entry));
      continue;
    }
    if (entry.includes('/') || !URL.canParse(`ftp://${entry}`)) {
      const allowed = ['a host, "host:port", or a range such as 10.1.0.0/16'];
      throw new ConfigError(`${path}.${index}`, `is ${JSON.stringify(entry)}`, allowed);
    }
    // http(s) would drop its default port.
    const { hostname, port } = new URL(`ftp://${entry}`);
    hosts.add(hostKey(hostname, port));
  }
  return {
    allowsHost: (host, port) => hosts.has(hostKey(host, '')) || hosts.has(hostKey(host, String(port))),
    allowsAddress(address) {
      if (!ip.isValid(address)) return false;
      const parsed = ip.process(address);
      return ranges.some((range) => parsed.kind() === range[0].kind() && parsed.match(range));
    },
  };
}

/** Returns the form in which hosts are compared: `127.1` and `LOCALHOST.` have several spellings. */
function hostKey(host: string, port: string): string {
  const bare = bareHost(host);
  return `${ip.isValid(bare) ? ip.process(bare).toString() : bare}|${port}`;
}

/** Returns a host in lower case, without the brackets of an IPv6 address and the last dot of a name. */
export function bareHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/** Names of hosts that no public name server knows (RFC 6761, RFC 6762, ICANN's private-use name), and names without a dot. */
const internalName = /^(?:[^.]+|.*\.(?:localhost|local|internal|lan|home\.arpa))$/;

/**
 * Reports whether an address names an internal host by its spelling: for addresses that a provider fetches, whose connections cannot be
 * checked here. A public name may still lead inside of the provider's network.
 */
export function isInternalUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const host = bareHost(new URL(url).hostname);
  return ip.isValid(host) ? !isPublicAddress(host) : internalName.test(host);
}
