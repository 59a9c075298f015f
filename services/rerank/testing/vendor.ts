import { createLogger } from '#kit/base/log.ts';
import type { RerankModel, RerankModelDeps } from '../models/rerank-model.ts';

// Helpers for tests of adapters.

/** A score from 0 to 1 for a vendor's server on loopback to give: the share of the question's characters that the text holds. */
export function overlap(query: string, text: string): number {
  const characters = [...query];
  if (characters.length === 0) return 0;
  return characters.filter((character) => text.includes(character)).length / characters.length;
}

/** What an adapter is given, in tests. */
export const testDeps: RerankModelDeps = {
  log: createLogger('silent'),
  path: 'rerank.models[0]',
  fetch: globalThis.fetch,
  clock: Date.now,
  llm: () => {
    throw new Error('this test has no gateway');
  },
};

/** An adapter's `create`, with defaults for the settings that are not given. */
export async function createWith<S>(
  adapter: { settings: object; create(settings: S, deps: RerankModelDeps): RerankModel | Promise<RerankModel> },
  given: Record<string, unknown>,
  deps: RerankModelDeps = testDeps,
): Promise<RerankModel> {
  const defaults = Object.entries(adapter.settings).map(([name, spec]) => [
    name,
    (spec as { default?: unknown }).default,
  ]);
  return adapter.create({ ...Object.fromEntries(defaults), ...given } as S, deps);
}

/** What a promise was rejected with. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
