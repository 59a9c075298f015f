/** Bounds of an HTTP server that need no configuration. Tests make them small. */
export interface HttpLimits {
  /** Open connections; for one more, an idle one is closed, and without an idle one the new one. */
  maxConnections: number;
  /** Time for a request's headers to arrive, and for the first request of a connection, in milliseconds. */
  headersTimeoutMs: number;
  /** Largest header block of a request, in bytes. */
  maxHeaderBytes: number;
  /** Time for a body that is read whole to arrive, in milliseconds. */
  bodyTimeoutMs: number;
  /** Time for which the rest of a refused body is read and dropped, so that its sender reads the refusal, in milliseconds. */
  discardTimeoutMs: number;
  /** Response bytes that are gathered before they are written. */
  maxGatheredBytes: number;
  /** Time for which a client may leave a response unread before its connection is cut, in milliseconds. */
  stallTimeoutMs: number;
  /** Time for which an idle HTTP/1.1 connection is kept, in milliseconds. */
  keepAliveTimeoutMs: number;
  /** Time for which an idle HTTP/2 connection is kept, in milliseconds. */
  sessionIdleTimeoutMs: number;
  /** Bytes that an HTTP/2 client may send ahead of being read, on a stream and on its connection. */
  streamWindowBytes: number;
  sessionWindowBytes: number;
  /** Concurrent streams of an HTTP/2 connection. */
  maxConcurrentStreams: number;
  /** Streams that a client may reset in a burst, and then each second, before its HTTP/2 connection is ended. */
  streamResetBurst: number;
  streamResetsPerSecond: number;
}

/** The bounds as they are in use. */
export const httpLimits: Readonly<HttpLimits> = Object.freeze({
  maxConnections: 10_000,
  headersTimeoutMs: 10_000,
  maxHeaderBytes: 16 << 10,
  bodyTimeoutMs: 30_000,
  discardTimeoutMs: 5_000,
  maxGatheredBytes: 64 << 10,
  stallTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  sessionIdleTimeoutMs: 300_000,
  streamWindowBytes: 256 << 10,
  sessionWindowBytes: 1 << 20,
  maxConcurrentStreams: 256,
  // A proxy in front carries many users on one connection, and each that leaves resets a stream. A flood is thousands a second.
  streamResetBurst: 5000,
  streamResetsPerSecond: 500,
});
