import { create } from '@bufbuild/protobuf';
import { AuditConfigSchema, type Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { readKeys } from '#kit/personal-data/policy.ts';
import type { MaskingKey } from '#kit/personal-data/seal.ts';

/** Settings of the audit service. */
export interface AuditSettings {
  /** Most records that wait to be written. More are refused, so that memory stays bounded. */
  readonly maxQueued: number;
  /** Most bytes of the records that wait. */
  readonly maxQueuedBytes: number;
  /** Most records in a transaction. */
  readonly maxBatch: number;
  /** File with the ends of the chains; `undefined`: in the data folder. */
  readonly headsFile: string | undefined;
  /** Whether entries name their users by keys that can be destroyed. */
  readonly sealUsers: boolean;
  /** Keys that encrypt the keys of users; empty: the key of a file, if there is one. */
  readonly keys: readonly MaskingKey[];
}

/** Returns the settings. */
export function readConfig({ audit, personalData }: Config): AuditSettings {
  const headsFile = audit?.headsFile || undefined;
  const limits = { maxQueued: 10_000, maxQueuedBytes: 64 << 20, maxBatch: 512 };
  return Object.freeze({
    ...limits,
    headsFile,
    sealUsers: (audit ?? create(AuditConfigSchema)).sealUsers,
    keys: readKeys(personalData),
  });
}
