import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { knownModel } from './known-models.ts';

/** Settings that every adapter to a provider has. An adapter spreads them and changes the defaults that differ. */
export const remoteSettings = {
  dimensions: z.int().min(0).max(8192).describe('Length of the vectors. 0: what is known of the model').default(0),
  send_dimensions: z
    .boolean()
    .describe(
      'Whether the request names the dimensions, for a model that can shorten its vectors; it always does if they are not those known of the model',
    )
    .default(false),
  max_input_tokens: z
    .int()
    .min(0)
    .max(1_000_000)
    .describe('Longest text, in tokens. 0: what is known of the model')
    .default(0),
  max_batch: z.int().min(1).max(2048).describe('Largest count of texts in a request').default(64),
  max_batch_tokens: z
    .int()
    .min(0)
    .max(10_000_000)
    .describe('Largest count of tokens in a request, estimated. 0: no limit')
    .default(0),
  max_concurrent: z.int().min(1).max(64).describe('Requests in flight, for one call').default(4),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest wait for a reply, in milliseconds').default(30_000),
  query_prefix: z.string().describe('Text before every question').default(''),
  document_prefix: z.string().describe('Text before every document').default(''),
};

/** Values of {@link remoteSettings}. */
export interface RemoteSettings {
  dimensions: number;
  send_dimensions: boolean;
  max_input_tokens: number;
  max_batch: number;
  max_batch_tokens: number;
  max_concurrent: number;
  timeout_ms: number;
  query_prefix: string;
  document_prefix: string;
}

/** Identity and limits of a model at a provider, from its settings. */
export interface RemoteIdentity {
  /** Name of the vector space. */
  name: string;
  dimensions: number;
  maxInputTokens: number;
  /** Dimensions that a request must name; `undefined`: it leaves them to the model. */
  askedDimensions: number | undefined;
}

/**
 * Returns the identity of `model`. `marks`: other values that change its vectors, empty ones without effect. Throws ConfigError if its
 * dimensions are neither set nor known.
 */
export function remoteIdentity(
  model: string,
  settings: RemoteSettings,
  path: string,
  marks: readonly string[] = [],
): RemoteIdentity {
  if (model === '') throw new ConfigError(`${path}.settings.model`, 'is empty: name the model');
  const known = knownModel(model);
  const dimensions = settings.dimensions || known?.dimensions;
  if (dimensions === undefined) {
    throw new ConfigError(
      `${path}.settings.dimensions`,
      `is missing: the length of the vectors of "${model}" is not known; set it`,
    );
  }
  return {
    name: `${model}-${dimensions}${prefixMark(settings.query_prefix, settings.document_prefix, ...marks)}`,
    dimensions,
    maxInputTokens: settings.max_input_tokens || known?.maxInputTokens || 0,
    askedDimensions:
      settings.send_dimensions || (known !== undefined && dimensions !== known.dimensions) ? dimensions : undefined,
  };
}

/** Returns the part of a space's name that identifies its prefixes and similar values: other ones make other vectors of the same text. */
export function prefixMark(query: string, document: string, ...others: readonly string[]): string {
  const marks = [query, document, ...(others.join('') === '' ? [] : others)];
  if (marks.join('') === '') return '';
  return `-${createHash('sha256').update(marks.join('\0')).digest('hex').slice(0, 8)}`;
}
