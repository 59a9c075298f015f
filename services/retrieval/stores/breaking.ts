import { Code, ConnectError } from '@connectrpc/connect';
import { type Breaker, isFailureOfDependency } from '#kit/breaker/breaker.ts';
import type { ChosenAdapter } from '#kit/host/config/settings.ts';
import type { Hit } from './index-row.ts';
import type { WebSearch } from './web-search.ts';

/** Returns whether a store is in this process: it needs no breaker. */
export function isLocal({ adapter }: ChosenAdapter): boolean {
  return adapter === 'sqlite';
}

/** Returns the store with a breaker around its searches, so that a server that hangs costs one question its time and not every one. */
export function breaking<Query, Store extends SearchedStore<Query>>(store: Store, breaker: Breaker): Store {
  return {
    ...store,
    search: (tenant: string, query: Query, signal: AbortSignal) =>
      breaker.run((running) => store.search(tenant, query, running), { signals: [signal] }, isFailure),
  };
}

/** Returns the engine with a breaker around its searches. */
export function breakingWeb(engine: WebSearch, breaker: Breaker): WebSearch {
  return {
    search: (query, signal) =>
      breaker.run((running) => engine.search(query, running), { signals: [signal] }, isFailure),
  };
}

interface SearchedStore<Query> {
  search(tenant: string, query: Query, signal: AbortSignal): Promise<Hit[]>;
}

// A server that is overloaded needs a pause as much as one that fails.
const isFailure = (error: unknown) =>
  isFailureOfDependency(error) || (error instanceof ConnectError && error.code === Code.ResourceExhausted);
