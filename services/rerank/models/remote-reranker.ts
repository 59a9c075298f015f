import { z } from 'zod';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { mapInOrder } from '#kit/base/map-in-order.ts';
import { withSpan } from '#kit/base/span.ts';
import { toProviderError } from '#kit/http/failure.ts';
import { cutCandidates, type Run } from './cut-candidates.ts';
import { type RawScore, readScores } from './read-scores.ts';
import type { RerankBatch, RerankModel, RerankModelDeps } from './rerank-model.ts';

/** Settings that every adapter to a provider has. An adapter spreads them and changes the defaults that differ. */
export const remoteSettings = {
  max_batch: z
    .int()
    .min(1)
    .max(1000)
    .describe('Largest count of candidates in a request; more are sent in several')
    .default(256),
  max_batch_tokens: z
    .int()
    .min(0)
    .max(10_000_000)
    .describe('Largest count of tokens in a request, estimated, the question counted for each candidate. 0: no limit')
    .default(0),
  max_concurrent: z.int().min(1).max(64).describe('Requests in flight, for one call').default(4),
  timeout_ms: z.int().min(50).max(600_000).describe('Longest wait for a reply, in milliseconds').default(5000),
  include_title: z.boolean().describe(`Whether a candidate's title and headings are put above its text`).default(true),
};

/** Values of {@link remoteSettings}. */
export interface RemoteSettings {
  max_batch: number;
  max_batch_tokens: number;
  max_concurrent: number;
  timeout_ms: number;
  include_title: boolean;
}

/** A provider's reply before its validation. */
export interface RawReply {
  scores: readonly RawScore[] | unknown;
  /** Tokens as the provider counts them. */
  promptTokens?: unknown;
}

/** What an adapter to a provider is made of. */
export interface RemoteReranker {
  /** Name of the provider, for errors and spans: "cohere". */
  provider: string;
  /** The model's name at the provider. */
  model: string;
  scale: ScoreScale;
  settings: RemoteSettings;
  /** Makes one request. Rejects with the signal's reason, with HttpFailure, or with a ConnectError. */
  request(query: string, texts: readonly string[], signal: AbortSignal): Promise<RawReply>;
}

/**
 * Creates a rerank model at a provider. It scores each candidate by itself, so the scores of several requests are comparable. A model that
 * compares candidates with each other needs a `max_batch` for all of them.
 */
export function createRemoteReranker(remote: RemoteReranker, { clock }: RerankModelDeps): RerankModel {
  const { provider, model, scale, settings } = remote;
  const ask = (query: string, { firstIndex, texts }: Run, signal: AbortSignal): Promise<RerankBatch> => {
    const attributes = {
      'gen_ai.operation.name': 'rerank',
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
      'ragmesh.candidate_count': texts.length,
    };
    return withSpan(`rerank ${model}`, attributes, async (span) => {
      try {
        const reply = await remote.request(query, texts, signal);
        const scores = readScores(reply.scores, texts.length, scale, provider);
        const batch: RerankBatch = { scores: scores.map((score, place) => ({ index: firstIndex + place, score })) };
        const counted = reply.promptTokens;
        if (!Number.isSafeInteger(counted) || (counted as number) < 0) return batch;
        const promptTokens = counted as number;
        span.setAttribute('gen_ai.usage.input_tokens', promptTokens);
        return { ...batch, usage: { promptTokens, completionTokens: 0, provenance: UsageProvenance.REPORTED } };
      } catch (error) {
        signal.throwIfAborted();
        throw toProviderError(provider, error, clock());
      }
    });
  };
  return {
    name: model,
    scale,
    maxCandidates: 1000,
    async *rerank(query, candidates, signal) {
      signal.throwIfAborted();
      // Some providers refuse an empty text, but accept a space.
      const texts = candidates.map(({ title, text }) => {
        const whole = settings.include_title && title !== '' ? `${title}\n${text}` : text;
        return whole === '' ? ' ' : whole;
      });
      const bounds = { size: settings.max_batch, tokens: settings.max_batch_tokens };
      const runs = cutCandidates(query, texts, bounds);
      yield* mapInOrder(runs, settings.max_concurrent, signal, (run, ends) => ask(query, run, ends));
    },
    close: async () => {},
  };
}

/** Scales by the value of a setting. */
export const scales = {
  unit: ScoreScale.UNIT,
  logit: ScoreScale.LOGIT,
  unknown: ScoreScale.UNSPECIFIED,
};
