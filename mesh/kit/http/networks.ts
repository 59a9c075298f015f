import { BlockList, isIP, isIPv4 } from 'node:net';

/** A set of addresses. */
export interface Networks {
  /** Whether the address is in one of the networks. A text that is no address is in none. */
  has(address: string): boolean;
}

/** Returns whether a text is an address, or a network as CIDR: "10.1.0.0/16", "2001:db8::/32". */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  if (isIP(address) === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(address) ? 32 : 128));
}

/** Returns the set of addresses in `networks`, each of which {@link isNetwork}; throws a TypeError for others. */
export function createNetworks(networks: readonly string[]): Networks {
  const list = new BlockList();
  for (const network of networks) {
    if (!isNetwork(network)) throw new TypeError(`"${network}" is neither an address nor a network`);
    const [given = '', bits] = network.split('/');
    const address = plainAddress(given);
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined || address !== given) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return {
    has(text) {
      // Most lists are empty, and a look into one costs as much as into a full one.
      if (networks.length === 0) return false;
      const address = plainAddress(text);
      const version = isIP(address);
      return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
    },
  };
}

/** Returns an IPv4 address that is written as IPv6 ("::ffff:10.0.0.1") as IPv4, and any other text as it is. */
export function plainAddress(address: string): string {
  const short = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return short ?? address;
}
