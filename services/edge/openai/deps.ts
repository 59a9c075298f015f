import type { JsonRouteDeps } from '../http/json-route.ts';

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
  return () => `${clock().toString(36)}-${(++count).toString(36)}-${Math.floor(random() * 2 ** 52).toString(36)}`;
}
