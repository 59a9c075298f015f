import type { JsonObject } from '@bufbuild/protobuf';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { defineService } from '#kit/host/define-service.ts';
import { sharedRedis } from '#kit/host/deployment.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import { calls } from '#kit/rpc/needs.ts';
import type { AnswerStore, AnswerStoreDeps, InvalidateTarget, StoreListener } from './answers/answer-store.ts';
import { createLayers } from './answers/layers.ts';
import { createMemoryStore } from './answers/memory-store.ts';
import { createGuard } from './answers/store-guard.ts';
import { readConfig } from './config.ts';
import { type FlightStore, type FlightStoreDeps, leaseIdOf } from './flights/flight-store.ts';
import { watchChanges } from './front/changes.ts';
import { createFront } from './front/front.ts';
import { type CachePort, createCachePort } from './front/port.ts';
import { createCacheMetrics } from './metrics.ts';
import { createStats } from './rpcs/stats.ts';
import { type ByMeaning, createByMeaning, createEmbed } from './semantic/by-meaning.ts';
import { openSemanticLayer } from './semantic/index.ts';
import type { SemanticStore, SemanticStoreDeps } from './semantic/semantic-store.ts';
import { createCache } from './service.ts';

const answerStores = new URL('./adapters/answer-store/', import.meta.url);
const semanticStores = new URL('./adapters/semantic-store/', import.meta.url);
const flightStores = new URL('./adapters/flight-store/', import.meta.url);

/** The listener of a store that no other replica shares. */
const ignoreReplicas: StoreListener = { epoch() {}, invalidated() {}, attached() {} };

/** Answers that were generated before. */
export const cache = defineService({
  name: 'cache',
  contracts: [CacheService],
  config: readConfig,
  needs: {},
  place: ({ cache: section }) => (section?.durableStore?.adapter === 'redis' ? 'everywhere' : 'owner'),
  optionalNeeds: { embedding: calls(EmbeddingService, 'embed') },
  deployment: {
    replicas: { min: 3, max: 20 },
    cpu: 1,
    memoryMib: 1024,
    callsPerReplica: 400,
    stores: ['redis'],
    settings: { cache: { durable_store: sharedRedis(), flight_store: sharedRedis() } },
    isShared: ({ cache: section }) => section?.durableStore?.adapter === 'redis',
  },
  async front({ config: settings, clock, log, metrics, ownerClient, port, untilChanged }) {
    return createFront({
      owner: ownerClient(CacheService),
      port: port as CachePort,
      memory: createMemoryStore({ maxBytes: settings.memoryBytes, clock }),
      metrics: createCacheMetrics(metrics),
      ...{ clock, log, untilChanged },
    });
  },
  async create({
    config: settings,
    clock,
    random,
    metrics: processMetrics,
    log,
    openDatabase,
    dataDir,
    lockDataDir,
    optionalClients,
    countChange,
  }) {
    const metrics = createCacheMetrics(processMetrics);
    const { durableStore, flightStore } = settings;
    const open = (
      name: string,
      given: JsonObject | undefined,
      deps: Pick<AnswerStoreDeps, 'maxBytes' | 'listener'>,
      path: string,
    ) => {
      const all = { ...deps, clock, random, log, openDatabase };
      return createFromAdapter<AnswerStore, AnswerStoreDeps>(answerStores, name, given, all, path);
    };
    let idCount = 0;
    const start = random().toString(36).slice(2, 10);
    const newId = (key: string) => leaseIdOf(key, `${start}${(++idCount).toString(36)}`);
    const flights = await createFromAdapter<FlightStore, FlightStoreDeps>(
      flightStores,
      flightStore.adapter,
      flightStore.settings,
      {
        clock,
        newId,
        leaseTtlMs: settings.leaseTtlMs,
        maxFlights: settings.maxFlights,
        maxAnswerBytes: settings.maxAnswerBytes,
        timeoutMs: settings.durableTimeoutMs,
        log,
      },
      flightStore.path,
    );
    const stats = createStats();
    const memory = await open(
      'memory',
      undefined,
      { maxBytes: settings.memoryBytes, listener: ignoreReplicas },
      'cache.memory',
    );
    const readiness: ReadinessCheck[] = [];
    // Larger than the positions of an earlier process, which made fewer changes than a thousand a millisecond.
    const watched = watchChanges(memory, clock() * 1000, countChange);
    const layers = await createLayers({
      memory: watched.store,
      openDurable: async (listener) => {
        const deps = { maxBytes: settings.durableBytes, listener };
        const store = await open(durableStore.adapter, durableStore.settings, deps, durableStore.path);
        if (store.readiness !== undefined) readiness.push(store.readiness);
        return store;
      },
      guard: createGuard('answer-store', (state) => {
        metrics.cacheStoreState.set(state);
        log.warn({ state }, 'breaker of the durable answer store: 0 closed, 1 half open, 2 open');
      }),
      clock,
      detachedMs: settings.detachedMs,
      onInvalidated: (tenant: string, target: InvalidateTarget) => flights.taint(tenant, target),
      onCorrupt(tenant) {
        metrics.cacheCorruptTotal.inc();
        stats.of(tenant).corruptCount++;
      },
      log,
    });
    const openMeaning = async (): Promise<ByMeaning | undefined> => {
      const { semantic } = settings;
      if (!settings.enabled || !semantic.enabled) return undefined;
      // Created only if the layer has a calibration to use.
      let embed: ReturnType<typeof createEmbed> | undefined;
      const { layer, off, isCalibrated } = await openSemanticLayer({
        folder: dataDir,
        async openStore({ model, dimensions }) {
          await lockDataDir();
          embed = createEmbed(optionalClients.embedding(), semantic.embeddingModel);
          const { maxPerScope, maxPerTenant } = semantic;
          const all = {
            folder: dataDir,
            clock,
            random,
            log,
            maxPerScope,
            maxPerTenant,
            dimensions,
            embeddingModel: model,
          };
          const { adapter, settings: given } = semantic.store;
          return createFromAdapter<SemanticStore, SemanticStoreDeps>(
            semanticStores,
            adapter,
            given,
            all,
            semantic.store.path,
          );
        },
        embed: (question, signal) => (embed as ReturnType<typeof createEmbed>)(question, signal),
        shadowShare: semantic.shadowShare,
        shadowBudget: semantic.shadowBudget,
        timeoutMs: semantic.timeoutMs,
        ...{ clock, random, log, metrics },
      });
      // Without a calibration, it is not meant to be on.
      if (layer === undefined)
        log[isCalibrated ? 'warn' : 'debug']({ event: 'semantic_cache_off', reason: off }, 'semantic cache is off');
      return layer && createByMeaning({ semantic: layer, layers, clock, log });
    };
    const meaning = await openMeaning();
    return {
      impl: createCache({ settings, layers, flights, stats, meaning, clock, random, newId, metrics, log }),
      readiness,
      frontPort: createCachePort(layers, watched.changes, stats),
      async close() {
        await meaning?.close();
        await flights.close();
        await layers.close();
      },
    };
  },
});
