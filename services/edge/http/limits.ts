import { type ConnectLimits, connectLimits } from '#kit/rpc/connect/limits.ts';

/** Bounds of the edge that need no configuration. Tests make them small. */
export interface EdgeLimits extends ConnectLimits {
  /** Largest body of a JSON route, in bytes. */
  maxJsonBytes: number;
  /** Most values in the body of a JSON route: fields and list elements. */
  maxJsonValues: number;
  /** Silence after which an event stream sends a heartbeat, in milliseconds. */
  heartbeatMs: number;
}

/** The bounds as they are in use. */
export const edgeLimits: Readonly<EdgeLimits> = Object.freeze({
  ...connectLimits,
  maxJsonBytes: 64 << 10,
  maxJsonValues: 20_000,
  heartbeatMs: 15_000,
});

/** The bounds of a body that may hold images or many texts: as large as a message to a service can be. */
export function forLargeBodies(limits: EdgeLimits): EdgeLimits {
  return { ...limits, maxJsonBytes: limits.maxMessageBytes };
}
