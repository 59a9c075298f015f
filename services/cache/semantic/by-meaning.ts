import { AsyncLocalStorage } from 'node:async_hooks';
import { fromBinary } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { type CacheScope, CacheScopeSchema } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AnswerEvent, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { fromVector } from '#kit/base/vectors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { InvalidateTarget, StoredAnswer } from '../answers/answer-store.ts';
import { scopeKeyOf } from '../answers/key.ts';
import { documentsOf, isQuestionLabel } from '../answers/labels.ts';
import type { Found, Layers } from '../answers/layers.ts';
import { decodeEvents, type Recording } from '../answers/recording.ts';
import type { Flight } from '../flights/flight.ts';
import type { SemanticFound, SemanticLayer } from './index.ts';

/** The semantic layer as look-ups and fills use it. */
export type ByMeaning = ReturnType<typeof createByMeaning>;

/** Longest wait at the end of a fill, and of an invalidation, in milliseconds. */
const keepTimeoutMs = 500;
const forgetTimeoutMs = 2000;

// The call that an embedding belongs to: the layer below has no calls.
const calls = new AsyncLocalStorage<CallContext>();

/** Creates the function that embeds the question of the current call. `model`: empty for the default one. */
export function createEmbed(embedding: Pick<Client<typeof EmbeddingService>, 'embed'>, model: string) {
  return async (question: string, signal: AbortSignal) => {
    const context = calls.getStore();
    if (context === undefined) throw new Error('an embedding belongs to a call');
    const request = { model, inputs: [question], purpose: Purpose.QUERY };
    for await (const { vectors, model: used } of embedding.embed(request, context.forward({ signal }))) {
      return { model: used, vector: fromVector(vectors[0]) };
    }
    throw unavailable('embedding', 'the embedding service returned no vector');
  };
}

/** Connects the semantic layer with the layers that have the answers. */
export function createByMeaning({ semantic, layers, clock, log }: ByMeaningParts) {
  // Results of a look-up that the fill of its lease uses.
  const vectors = new WeakMap<Flight, Float32Array>();
  const samples = new WeakMap<Flight, StoredAnswer>();

  return {
    /**
     * Returns an answer to a question of the same meaning in the same scope. For a sample of hits it returns none: they are generated again,
     * and compared when the flight is filled.
     */
    async find(flight: Flight, caller: Principal, scope: CacheScope, context: CallContext, timeoutMs: number) {
      const { tenant, question } = flight;
      const query = { tenant, question, scopeKey: scopeKeyOf(caller, scope) };
      const found = await calls.run(context, () => semantic.find(query, context.signal));
      if (found.kind === 'miss') {
        if (found.vector !== undefined) vectors.set(flight, found.vector);
        return undefined;
      }
      const stored =
        (await layers.findInMemory(tenant, found.key)) ?? (await layers.findDurable(tenant, found.key, timeoutMs));
      if (stored === undefined || stored.answer.staleAtMs <= clock()) {
        quietly(forget(tenant, { kind: 'key', key: found.key }));
        return undefined;
      }
      if (found.isSampled) {
        samples.set(flight, stored.answer);
        return undefined;
      }
      return { answer: stored.answer, layer: CacheLayer.SEMANTIC } satisfies Found;
    },

    /** Returns what a look-up would find, for a person. */
    inspect(caller: Principal, question: string, scope: CacheScope, context: CallContext): Promise<SemanticFound> {
      const query = { tenant: caller.tenant, question, scopeKey: scopeKeyOf(caller, scope) };
      return calls.run(context, () => semantic.find(query, context.signal));
    },

    /** Returns the candidate of the same meaning. */
    match: (question: string, candidates: readonly string[], context: CallContext) =>
      calls.run(context, () => semantic.match(question, candidates, context.signal)),

    /** Compares the answer of a flight with the stored one that its look-up found. */
    async compare(flight: Flight, recording: Recording): Promise<void> {
      const sample = samples.get(flight);
      if (sample === undefined) return;
      try {
        const [served, regenerated] = [decodeEvents(sample.value), recording.events].map(toCompared);
        if (served && regenerated) await semantic.compare(served, regenerated);
      } catch (error) {
        log.warn({ event: 'semantic_compare_failed', err: error }, 'semantic hit not compared');
      }
    },

    /** Stores the question of a stored answer. */
    async remember(flight: Flight, caller: Principal, answer: StoredAnswer, context: CallContext): Promise<void> {
      const { tenant, key, question } = flight;
      const scopeKey = scopeKeyOf(caller, fromBinary(CacheScopeSchema, flight.scope));
      const vector = vectors.get(flight);
      const entry = { tenant, key, question, scopeKey, vector, documentIds: documentsOf(answer.labels) };
      const keeping = () =>
        semantic.remember({ ...entry, expiresAtMs: answer.staleAtMs }, AbortSignal.timeout(keepTimeoutMs));
      await calls.run(context, keeping).catch((error: unknown) => {
        log.warn({ event: 'semantic_put_failed', err: error }, 'semantic question not stored');
      });
    },

    /**
     * Removes questions whose answers were invalidated. A failure only keeps space, because a question without an answer is a miss;
     * except of retention, which rejects.
     */
    async forget(tenant: string, target: InvalidateTarget): Promise<void> {
      if (target.kind === 'before') return forget(tenant, target);
      // A question is erased with its user: the layer cannot find it by its label, and it must not stay.
      const isAll = target.kind === 'all' || (target.kind === 'label' && isQuestionLabel(target.label));
      if (isAll) await forget(tenant, { kind: 'all' }).catch(onFailure);
      if (target.kind !== 'label') return;
      for (const documentId of documentsOf([target.label])) {
        await forget(tenant, { kind: 'document', documentId }).catch(onFailure);
      }
    },

    stats: () => semantic.stats(),
    close: () => semantic.close(),
  };

  function forget(tenant: string, target: Parameters<SemanticLayer['forget']>[1]): Promise<void> {
    return semantic.forget(tenant, target, AbortSignal.timeout(forgetTimeoutMs));
  }
  function onFailure(error: unknown): void {
    log.warn({ event: 'semantic_remove_failed', err: error }, 'semantic questions not removed');
  }
  function quietly(work: Promise<void>): void {
    work.catch(onFailure);
  }
}

/** What {@link createByMeaning} is made of. */
export interface ByMeaningParts {
  semantic: SemanticLayer;
  layers: Layers;
  clock: () => number;
  log: Logger;
}

function toCompared(events: readonly AnswerEvent[]) {
  let text = '';
  const documentIds = new Set<string>();
  for (const { event } of events) {
    if (event.case === 'textDelta') text += event.value.text;
    if (event.case === 'citation') documentIds.add(event.value.documentId);
  }
  // Refusals are not stored by their meaning.
  return { text, documentIds: [...documentIds], isRefusal: false };
}
