/** Bounds of the edge that nobody has a reason to configure. Tests make them small. */
export interface EdgeLimits {
  /** Connections at once; more are closed as they come. */
  maxConnections: number;
  /** Time for a request's headers to arrive, and for a connection to say its first word, in milliseconds. */
  headersTimeoutMs: number;
  /** Largest header block of a request, in bytes. */
  maxHeaderBytes: number;
  /** Time for a body that is read whole to arrive, in milliseconds. */
  bodyTimeoutMs: number;
  /** Longest silence within an upload, in milliseconds. */
  uploadIdleTimeoutMs: number;
  /** Time that what is left of a refused body is read and dropped, so that its sender gets to see why, in milliseconds. */
  discardTimeoutMs: number;
  /** Largest body of a JSON route, in bytes. */
  maxJsonBytes: number;
  /** Most values in the body of a JSON route: fields and list elements. */
  maxJsonValues: number;
  /** Largest message of an rpc, in bytes. */
  maxMessageBytes: number;
  /** Messages that are smaller than this are sent without compression, in bytes. */
  compressMinBytes: number;
  /** Response bytes that are gathered before they are written. */
  maxGatheredBytes: number;
  /** Time that a client may leave a response unread before its connection is cut, in milliseconds. */
  stallTimeoutMs: number;
  /** Time that an idle HTTP/1.1 connection is kept, in milliseconds. */
  keepAliveTimeoutMs: number;
  /** Time that an idle HTTP/2 connection is kept, in milliseconds. */
  sessionIdleTimeoutMs: number;
  /** Bytes that an HTTP/2 client may send ahead of being read, on a stream and on its connection. */
  streamWindowBytes: number;
  sessionWindowBytes: number;
  /** Streams of an HTTP/2 connection at once. */
  maxConcurrentStreams: number;
  /** Streams that a client may reset at once, and then each second, before its HTTP/2 connection is ended. */
  streamResetBurst: number;
  streamResetsPerSecond: number;
  /** Silence after which an event stream says that it lives, in milliseconds. */
  heartbeatMs: number;
}

/** The bounds as they are in use. */
export const edgeLimits: Readonly<EdgeLimits> = Object.freeze({
  maxConnections: 10_000,
  headersTimeoutMs: 10_000,
  maxHeaderBytes: 16 << 10,
  bodyTimeoutMs: 30_000,
  uploadIdleTimeoutMs: 60_000,
  discardTimeoutMs: 5_000,
  maxJsonBytes: 64 << 10,
  maxJsonValues: 20_000,
  maxMessageBytes: 4 << 20,
  compressMinBytes: 8 << 10,
  maxGatheredBytes: 64 << 10,
  stallTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  sessionIdleTimeoutMs: 300_000,
  streamWindowBytes: 256 << 10,
  sessionWindowBytes: 1 << 20,
  maxConcurrentStreams: 256,
  // A proxy in front of the edge carries many users on one connection, and each that leaves resets a stream. A flood is thousands a second.
  streamResetBurst: 5000,
  streamResetsPerSecond: 500,
  heartbeatMs: 15_000,
});
