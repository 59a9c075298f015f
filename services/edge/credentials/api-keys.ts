import { hash, timingSafeEqual } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { rpcError } from '#kit/base/errors.ts';

/** A key that callers may use, without the key itself. */
export interface KeyEntry {
  id: string;
  /** SHA-256 of the key, 64 hex digits. */
  sha256: string;
  /** The principal of the key. */
  principal: { tenant: string; user: string; groups: string[]; roles: Role[] };
  /** Models and routes that it may name. @default all */
  models?: readonly string[];
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

/** Returns the holder of a key; `undefined`: it is unknown. Throws CREDENTIALS_EXPIRED if it has expired. */
export function createKeyRing(
  entries: readonly KeyEntry[],
  clock: () => number,
): (key: string) => KeyHolder | undefined {
  const byHash = new Map(
    entries.map((entry) => [
      entry.sha256,
      {
        ...entry,
        digest: Buffer.from(entry.sha256, 'hex'),
        holder: Object.freeze({
          principal: Object.freeze(create(PrincipalSchema, entry.principal)),
          keyId: entry.id,
          ...(entry.models && { models: entry.models }),
        }),
      },
    ]),
  );
  return (key) => {
    const hashed = hashKey(key);
    const entry = byHash.get(hashed);
    // Hashes of 256 bits are compared, so timing reveals nothing of a key; the last comparison is constant-time all the same.
    if (entry === undefined || !timingSafeEqual(entry.digest, Buffer.from(hashed, 'hex'))) return undefined;
    if (entry.expiresAtMs !== undefined && entry.expiresAtMs <= clock()) {
      const expiredAt = new Date(entry.expiresAtMs).toISOString();
      throw rpcError(
        Code.Unauthenticated,
        ErrorReason.CREDENTIALS_EXPIRED,
        `the API key "${entry.id}" expired at ${expiredAt}: get a new one`,
        { metadata: { expired_at: expiredAt } },
      );
    }
    return entry.holder;
  };
}
