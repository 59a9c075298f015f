import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';

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
}

/** Returns the settings. */
export function readConfig({ audit }: Config): AuditSettings {
  const headsFile = audit?.headsFile || undefined;
  return Object.freeze({ maxQueued: 10_000, maxQueuedBytes: 64 << 20, maxBatch: 512, headsFile });
}
