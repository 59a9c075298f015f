import { createHash } from 'node:crypto';
import { ConfigError } from '#kit/base/config-error.ts';
import { knownModel } from './known-models.ts';

/** Settings that every adapter to a provider has. An adapter spreads them and changes the defaults that differ. */
export const remoteSettings = {
  /** Length of the vectors. 0: what is known of the model. */
  dimensions: { type: 'number', default: 0, min: 0, max: 8192 },
  /** Whether the request names the dimensions, for a model that can shorten its vectors; it always does where they are not those known of the model. */
  send_dimensions: { type: 'boolean', default: false },
  /** Longest text, in tokens. 0: what is known of the model. */
  max_input_tokens: { type: 'number', default: 0, min: 0, max: 1_000_000 },
  /** Most texts in a request. */
  max_batch: { type: 'number', default: 64, min: 1, max: 2048 },
  /** Most tokens in a request, by estimate. 0: no limit. */
  max_batch_tokens: { type: 'number', default: 0, min: 0, max: 10_000_000 },
  /** Requests under way at once, for one call. */
  max_concurrent: { type: 'number', default: 4, min: 1, max: 64 },
  /** Longest wait for a reply, in milliseconds. */
  timeout_ms: { type: 'number', default: 30_000, min: 100, max: 600_000 },
  /** Text before every question. */
  query_prefix: { type: 'string', default: '' },
  /** Text before every document. */
  document_prefix: { type: 'string', default: '' },
} as const;

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
  /** Name of the vectors' space. */
  name: string;
  dimensions: number;
  maxInputTokens: number;
  /** Dimensions that a request must name; `undefined`: it leaves them to the model. */
  askedDimensions: number | undefined;
}

/** Identity of `model`; throws ConfigError where its dimensions are neither set nor known. */
export function remoteIdentity(model: string, settings: RemoteSettings, path: string): RemoteIdentity {
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
    name: `${model}-${dimensions}${prefixMark(settings.query_prefix, settings.document_prefix)}`,
    dimensions,
    maxInputTokens: settings.max_input_tokens || known?.maxInputTokens || 0,
    askedDimensions:
      settings.send_dimensions || (known !== undefined && dimensions !== known.dimensions) ? dimensions : undefined,
  };
}

/** Part of a space's name that stands for its prefixes: other prefixes make other vectors of the same text. */
export function prefixMark(query: string, document: string): string {
  if (query + document === '') return '';
  return `-${createHash('sha256').update(`${query}\0${document}`).digest('hex').slice(0, 8)}`;
}
