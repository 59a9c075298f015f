/** Entries that go to a target together. */
export interface Batch {
  /** Sequence of the entry before the first one. */
  after: number;
  /** Sequence of the last entry. */
  last: number;
  /** A line for each entry, without line feeds. */
  lines: readonly string[];
}

/** What a target has. */
export interface SinkPosition {
  /** Sequence of the last entry that it has for certain. */
  sequence: number;
  /** Sequence of the last entry of a batch that it may have: the same batch is sent again. */
  through?: number;
}

/** A target of an export. What it has is kept with it, so that an export that was killed continues after the last entry that arrived. */
export interface ExportSink {
  /** Returns what the target has, after it has removed what a kill has left half written. */
  resume(): Promise<SinkPosition>;
  /** Stores a batch; resolves when it is durable there. */
  write(batch: Batch, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
