import { hash, timingSafeEqual } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { createNetworks, type Networks } from '#kit/http/networks.ts';

/** A key that callers may use, without the key itself: of the configuration, or of the service `accounts`. */
export interface KeyEntry {
  id: string;
  /** SHA-256 of the key, 64 hex digits. */
  sha256: string;
  /** The principal of the key. */
  principal: {
    tenant: string;
    user: string;
    groups: string[];
    roles: Role[];
    /** Corpora that exist for it. @default all */
    corpora?: string[];
  };
  /** Models and routes that it may name. @default all */
  models?: readonly string[];
  /** Addresses and networks from which it may be used. @default all */
  addresses?: readonly string[];
  /** When it ends to be valid, in milliseconds since 1970. @default never */
  expiresAtMs?: number;
}

/** SHA-256 of a key, as 64 hex digits. */
export function hashKey(key: string): string {
  return hash('sha256', key);
}

/** The holder of a key. */
export interface KeyHolder {
  principal: Principal;
  /** Id of the key. */
  keyId: string;
  /** Models and routes that the key may name; `undefined`: all. */
  models?: readonly string[];
}

/** A key, ready for the comparison with what a caller sends. */
export interface PreparedKey {
  entry: KeyEntry;
  digest: Buffer;
  /** `undefined`: every address. */
  networks: Networks | undefined;
  holder: KeyHolder;
}

/** Prepares a key. Throws a TypeError for an address that is none. */
export function prepareKey(entry: KeyEntry): PreparedKey {
  const { id: keyId, sha256, principal, models, addresses } = entry;
  return {
    entry,
    digest: Buffer.from(sha256, 'hex'),
    networks: addresses && createNetworks(addresses),
    // The same object for each call, so that what follows from it is remembered.
    holder: Object.freeze({
      principal: Object.freeze(create(PrincipalSchema, { ...principal, keyId })),
      keyId,
      ...(models && { models }),
    }),
  };
}

/** Keys by their SHA-256. */
export interface KeySource {
  find(sha256: string): PreparedKey | undefined;
}

/** Returns the source of these keys. */
export function keySourceOf(entries: readonly KeyEntry[]): KeySource {
  const byHash = new Map(entries.map((entry) => [entry.sha256, prepareKey(entry)]));
  return { find: (sha256) => byHash.get(sha256) };
}

/** What is done with a key of a caller. */
export interface KeyRingHooks {
  /** A valid key was used. */
  onUse?(sha256: string, address: string): void;
  /** A valid key came from an address from which it may not be used. */
  onWrongAddress?(keyId: string, address: string): void;
}

/**
 * Returns the holder of a key that comes from `address`; `undefined`: it is unknown, or not for that address, which callers cannot
 * distinguish. Throws CREDENTIALS_EXPIRED if it has expired. The first source that has the key counts.
 */
export function createKeyRing(
  sources: readonly KeySource[],
  clock: () => number,
  { onUse = () => {}, onWrongAddress = () => {} }: KeyRingHooks = {},
): (key: string, address: string) => KeyHolder | undefined {
  return (key, address) => {
    const hashed = hashKey(key);
    let found: PreparedKey | undefined;
    for (const source of sources) found ??= source.find(hashed);
    // Hashes of 256 bits are compared, so timing reveals nothing of a key; the last comparison is constant-time all the same.
    if (found === undefined || !timingSafeEqual(found.digest, Buffer.from(hashed, 'hex'))) return undefined;
    const { entry, networks, holder } = found;
    if (networks !== undefined && !networks.has(address)) {
      onWrongAddress(entry.id, address);
      return undefined;
    }
    if (entry.expiresAtMs !== undefined && entry.expiresAtMs <= clock()) {
      const expiredAt = new Date(entry.expiresAtMs).toISOString();
      throw rpcError(
        Code.Unauthenticated,
        ErrorReason.CREDENTIALS_EXPIRED,
        `the API key "${entry.id}" expired at ${expiredAt}: get a new one`,
        { metadata: { expired_at: expiredAt } },
      );
    }
    onUse(hashed, address);
    return holder;
  };
}
