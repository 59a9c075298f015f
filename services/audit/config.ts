/** Limits of the audit service. */
export interface AuditSettings {
  /** Records that may wait to be written. More are refused: audit never grows without bound in memory. */
  readonly maxQueued: number;
  /** Bytes of the records that may wait. */
  readonly maxQueuedBytes: number;
  /** Most records in a transaction. */
  readonly maxBatch: number;
}

/** The settings; none of them is in the configuration yet. */
export function readConfig(): AuditSettings {
  return Object.freeze({ maxQueued: 10_000, maxQueuedBytes: 64 << 20, maxBatch: 512 });
}
