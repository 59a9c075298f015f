import type { JsonObject } from '@bufbuild/protobuf';
import { createLogger } from '#kit/base/log.ts';
import { readSettings, type Settings, type SettingsShape } from '#kit/host/config/adapter-settings.ts';
import type { Adapter } from '#kit/host/config/adapters.ts';
import { hashText } from '../adapters/embedding-model/hashing/hash-text.ts';
import type { EmbeddingModel, EmbeddingModelDeps } from '../models/embedding-model.ts';

// Helpers for tests of adapters: a vendor's server on loopback gives the vectors of feature hashing.

/** A vector of a text that has some meaning, of any length above zero. */
export function vectorOf(text: string, dimensions: number): number[] {
  const vector = new Float32Array(dimensions);
  hashText(text, vector);
  // A real model gives no zeros.
  if (!vector.some((value) => value !== 0)) vector[0] = 1;
  // Providers differ in whether they scale vectors: these are not scaled.
  return [...vector].map((value) => value * 3);
}

/** A vector as base64 of little-endian float32. */
export function base64Of(vector: readonly number[]): string {
  return Buffer.from(new Float32Array(vector).buffer).toString('base64');
}

/** What an adapter is given, in tests. */
export const testDeps: EmbeddingModelDeps = {
  log: createLogger('silent'),
  path: 'embedding.models[0]',
  fetch: globalThis.fetch,
  clock: Date.now,
};

/** Returns the settings of an adapter: `given`, and defaults. */
export function settingsOf<Shape extends SettingsShape>(shape: Shape, given: JsonObject): Settings<Shape> {
  return readSettings(shape, given, `${testDeps.path}.settings`);
}

/** Creates the model of an adapter, with defaults for the settings that are not given. */
export async function createWith<Shape extends SettingsShape>(
  adapter: Adapter<EmbeddingModel, EmbeddingModelDeps, Shape>,
  given: JsonObject,
  deps: EmbeddingModelDeps = testDeps,
): Promise<EmbeddingModel> {
  return adapter.create(settingsOf(adapter.settings, given), deps);
}

/** What a promise was rejected with. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
