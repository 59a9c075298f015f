/** Limits of the audit service. */
export interface AuditSettings {
  /** Most records that wait to be written. More are refused, so that memory stays bounded. */
  readonly maxQueued: number;
  /** Most bytes of the records that wait. */
  readonly maxQueuedBytes: number;
  /** Most records in a transaction. */
  readonly maxBatch: number;
}

/** Returns the settings; none of them is in the configuration. */
export function readConfig(): AuditSettings {
  return Object.freeze({ maxQueued: 10_000, maxQueuedBytes: 64 << 20, maxBatch: 512 });
}
