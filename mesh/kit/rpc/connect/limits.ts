import { type HttpLimits, httpLimits } from '../../http/server/limits.ts';

/** Bounds of rpcs over HTTP that need no configuration. Tests make them small. */
export interface ConnectLimits extends HttpLimits {
  /** Longest silence within an upload, in milliseconds. */
  uploadIdleTimeoutMs: number;
  /** Largest message, in bytes. */
  maxMessageBytes: number;
  /** Messages that are smaller than this are sent without compression, in bytes. */
  compressMinBytes: number;
}

/** The bounds as they are in use. */
export const connectLimits: Readonly<ConnectLimits> = Object.freeze({
  ...httpLimits,
  uploadIdleTimeoutMs: 60_000,
  maxMessageBytes: 4 << 20,
  compressMinBytes: 8 << 10,
});
