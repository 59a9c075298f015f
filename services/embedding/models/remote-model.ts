import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { withSpan } from '#kit/base/span.ts';
import { HttpFailure, invalidReply, isTooLong, toProviderError } from '#kit/http/failure.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import {
  type EmbeddedBatch,
  type EmbeddingModel,
  type EmbeddingModelDeps,
  TextTooLongError,
} from './embedding-model.ts';
import { type RawVector, readVectors } from './read-vectors.ts';
import type { RemoteIdentity, RemoteSettings } from './remote-settings.ts';

/** A provider's reply, not yet believed. */
export interface RawReply {
  vectors: readonly RawVector[] | unknown;
  /** Id of the model as the reply has it. */
  model?: unknown;
  /** Tokens of the texts as the provider counts them. */
  promptTokens?: unknown;
}

/** What an adapter to a provider is made of. */
export interface RemoteModel {
  /** Who is asked, for errors and spans: "ollama". */
  provider: string;
  /** The model's name at the provider. */
  model: string;
  /** Its name for questions. @default `model` */
  queryModel?: string;
  identity: RemoteIdentity;
  settings: RemoteSettings;
  /** Whether each vector of a reply names its text. */
  indexed: boolean;
  /** Id that replies must have. @default that of the first reply */
  replyModel?: string;
  /** Whether the provider takes texts without words. @default false: they are not sent, and get zeros */
  takesBlank?: boolean;
  /** One request. Rejects with the signal's reason, with HttpFailure, with TextTooLongError, or with a ConnectError. */
  request(texts: readonly string[], purpose: Purpose, signal: AbortSignal): Promise<RawReply>;
}

/**
 * An embedding model at a provider: puts the prefix of the purpose before each text, keeps back texts without words, asks, and believes
 * nothing: not the order, the number, the dimensions nor the identity of the model.
 */
export function createRemoteModel(remote: RemoteModel, { log, clock }: EmbeddingModelDeps): EmbeddingModel {
  const { provider, identity, settings } = remote;
  const { dimensions } = identity;
  // A server may have another model for questions.
  const replyModels = new Map<string, string>();

  const checkModel = (id: unknown, purpose: Purpose) => {
    if (typeof id !== 'string' || id === '') return;
    const asked = purpose === Purpose.QUERY ? (remote.queryModel ?? remote.model) : remote.model;
    const replyModel = remote.replyModel || replyModels.get(asked);
    if (replyModel === undefined) {
      replyModels.set(asked, id);
      log.debug({ provider, model: asked, replyModel: id }, 'embedding model');
    } else if (id !== replyModel) {
      throw invalidReply(provider, `it is of the model "${id.slice(0, 100)}", and replies were of "${replyModel}"`);
    }
  };
  const ask = async (texts: readonly string[], purpose: Purpose, signal: AbortSignal): Promise<EmbeddedBatch> => {
    const reply = await remote.request(texts, purpose, signal);
    checkModel(reply.model, purpose);
    const vectors = readVectors(reply.vectors, {
      dependency: provider,
      count: texts.length,
      dimensions,
      indexed: remote.indexed,
    });
    const counted = reply.promptTokens;
    // An explicit zero is a count like any other.
    return Number.isSafeInteger(counted) && (counted as number) >= 0
      ? { vectors, promptTokens: counted as number, reported: true }
      : { vectors, promptTokens: texts.reduce((sum, text) => sum + estimateTokens(text), 0), reported: false };
  };

  return {
    name: identity.name,
    dimensions,
    maxBatch: settings.max_batch,
    maxBatchTokens: settings.max_batch_tokens,
    maxConcurrent: settings.max_concurrent,
    maxInputTokens: identity.maxInputTokens,
    async embed(texts, purpose, signal) {
      signal.throwIfAborted();
      const prefix = purpose === Purpose.QUERY ? settings.query_prefix : settings.document_prefix;
      const sent = [...texts.keys()].filter((index) => remote.takesBlank || (texts[index] as string).trim() !== '');
      const vectors: Float32Array[] = texts.map(() => new Float32Array(dimensions));
      if (sent.length === 0) return { vectors, promptTokens: 0, reported: false };
      const inputs = sent.map((index) => prefix + texts[index]);
      const attributes = {
        'gen_ai.operation.name': 'embeddings',
        'gen_ai.provider.name': provider,
        'gen_ai.request.model': remote.model,
        'gen_ai.embeddings.dimension.count': dimensions,
        'ragmesh.input_count': inputs.length,
      };
      return withSpan(`embeddings ${remote.model}`, attributes, async (span) => {
        try {
          const batch = await ask(inputs, purpose, signal);
          if (batch.reported) span.setAttribute('gen_ai.usage.input_tokens', batch.promptTokens);
          for (const [place, index] of sent.entries()) vectors[index] = batch.vectors[place] as Float32Array;
          return { ...batch, vectors };
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof TextTooLongError && error.textIndex !== undefined) {
            throw new TextTooLongError(sent[error.textIndex], error);
          }
          if (error instanceof HttpFailure && isTooLong(error)) {
            const place = await findTooLong(error, inputs, (text) => ask([text], purpose, signal));
            throw new TextTooLongError(place === undefined ? undefined : sent[place], error);
          }
          throw toProviderError(provider, error, clock());
        }
      });
    },
    close: async () => {},
  };
}

/**
 * Returns the index of the text that was too long: the one that the provider names, or the longest one if it fails alone too. Makes at most
 * one more request.
 */
async function findTooLong(
  failure: HttpFailure,
  texts: readonly string[],
  askAlone: (text: string) => Promise<unknown>,
): Promise<number | undefined> {
  if (texts.length === 1) return 0;
  const named = Number(failure.says(/input\[(\d+)\]/) ?? Number.NaN);
  if (named < texts.length) return named;
  const tokens = texts.map(estimateTokens);
  const longest = tokens.indexOf(Math.max(...tokens));
  try {
    await askAlone(texts[longest] as string);
  } catch (error) {
    if (error instanceof HttpFailure && isTooLong(error)) return longest;
    // It failed for another reason: what is known stays as it was.
  }
  return undefined;
}
