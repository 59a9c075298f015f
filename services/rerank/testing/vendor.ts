import type { JsonObject } from '@bufbuild/protobuf';
import { createLogger } from '#kit/base/log.ts';
import { readSettings, type SettingsShape } from '#kit/host/config/adapter-settings.ts';
import type { Adapter } from '#kit/host/config/adapters.ts';
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

/** Creates the model of an adapter, with defaults for the settings that are not given. */
export async function createWith<Shape extends SettingsShape>(
  adapter: Adapter<RerankModel, RerankModelDeps, Shape>,
  given: JsonObject,
  deps: RerankModelDeps = testDeps,
): Promise<RerankModel> {
  return adapter.create(readSettings(adapter.settings, given, `${testDeps.path}.settings`), deps);
}

/** What a promise was rejected with. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
