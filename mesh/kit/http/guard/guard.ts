import { promises as dns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { invalidArgument } from '../../base/errors.ts';
import { type AllowedHosts, bareHost, isPublicAddress } from './addresses.ts';

/** Decides to which addresses a process may connect for an address that a user has given. */
export interface AddressGuard {
  /**
   * Resolves a host (a name, or an address with or without brackets) and returns every address of it. Throws {@link AddressRefusedError} if
   * one of them is not public and not allowed.
   */
  resolve(host: string, port: number): Promise<LookupAddress[]>;
  /**
   * Returns a lookup for `net.connect` and `tls.connect` that checks the very addresses to which they connect, so that a name whose
   * address changes between two lookups gains nothing. They do not look up literal addresses: call {@link AddressGuard.resolve} first.
   */
  lookup(port: number): LookupFunction;
}

/** The address is not public. The message names what the user gave, and nothing of what a name server said. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
  constructor(host: string) {
    super(`"${host.slice(0, 253)}" is no address on the public internet; an operator can allow it in allowed_hosts`);
  }
}

/** Returns every address of a name. */
export type ResolveName = (name: string) => Promise<LookupAddress[]>;

const systemResolve: ResolveName = (name) => dns.lookup(name, { all: true, verbatim: true });

/** Creates a guard. `resolveName`: a name server other than the system's. */
export function createAddressGuard(allowed: AllowedHosts, resolveName: ResolveName = systemResolve): AddressGuard {
  const resolve = async (host: string, port: number) => {
    const name = bareHost(host);
    const family = isIP(name);
    const addresses = family === 0 ? await resolveName(name) : [{ address: name, family }];
    const mayConnect = ({ address }: LookupAddress) => isPublicAddress(address) || allowed.allowsAddress(address);
    // One bad address among good ones is refused as well: which of them is used is decided later.
    if (addresses.length === 0 || !(allowed.allowsHost(name, port) || addresses.every(mayConnect))) {
      throw new AddressRefusedError(host);
    }
    return addresses;
  };
  return {
    resolve,
    lookup: (port) => (host, options, done) => {
      resolve(host, port).then(
        (addresses) => {
          const fitting = addresses.filter(({ family }) => !options.family || family === familyOf(options.family));
          const [first] = fitting;
          if (options.all) done(null, fitting);
          else if (first === undefined) done(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0);
          else done(null, first.address, first.family);
        },
        (error: NodeJS.ErrnoException) => done(error, '', 0),
      );
    },
  };
}

const familyOf = (family: number | 'IPv4' | 'IPv6') => (typeof family === 'number' ? family : Number(family.slice(-1)));

/** Converts the refusal inside of what a client threw to INVALID_ARGUMENT; returns everything else unchanged. */
export function toGuardError(thrown: unknown): unknown {
  for (let at = thrown, depth = 0; depth < 4 && at instanceof Error; at = at.cause, depth++) {
    if (at instanceof AddressRefusedError) return invalidArgument(at.message, { cause: thrown });
  }
  return thrown;
}
