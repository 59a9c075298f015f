import type { JsonRouteDeps } from '../http/json-route.ts';
import type { EdgeLimits } from '../http/limits.ts';

/** What OpenAI's routes share. */
export interface OpenAiDeps extends JsonRouteDeps {
  /** An id that no other request has: letters, digits and "-", at most 40. */
  newId(): string;
  /** Whether a completion that a content filter refused before its first word is an error. */
  filteredIsError(): boolean;
}

/** Makes ids of a time, a count and a chance, so that those of several replicas do not meet. */
export function createIds(clock: () => number, random: () => number): () => string {
  let count = 0;
  return () => `${clock().toString(36)}-${(++count).toString(36)}-${random().toString(36).slice(2, 14)}`;
}

/** The bounds of a body that may hold images or many texts: as large as a message to a service can be. */
export function forLargeBodies(limits: EdgeLimits): EdgeLimits {
  return { ...limits, maxJsonBytes: limits.maxMessageBytes };
}
