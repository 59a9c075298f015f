import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { createFromAdapter } from '#kit/adapters.ts';
import { defineService } from '#kit/define-service.ts';
import type { AnswerStore, AnswerStoreDeps } from './answer-store.ts';
import { readConfig } from './config.ts';
import { createFlights } from './flights.ts';
import { createLayers } from './layers.ts';
import { createCache } from './service.ts';

const adapters = new URL('./adapters/answer-store/', import.meta.url);

/** Answers that were given before. */
export const cache = defineService({
  name: 'cache',
  contract: CacheService,
  config: readConfig,
  needs: {},
  async create({ config: settings, clock, random, metrics, log, openDatabase }) {
    const open = (name: string, maxBytes: number, path: string) =>
      createFromAdapter<AnswerStore, AnswerStoreDeps>(
        adapters,
        name,
        undefined,
        { maxBytes, clock, openDatabase },
        path,
      );
    const memory = await open('memory', settings.memoryBytes, 'cache.memory');
    const durable = await open('sqlite', settings.durableBytes, 'cache.durable');
    const layers = createLayers({ memory, durable, log });
    let idCount = 0;
    const newId = () => `${clock().toString(36)}-${(++idCount).toString(36)}-${random().toString(36).slice(2)}`;
    const flights = createFlights({
      clock,
      newId,
      leaseTtlMs: settings.leaseTtlMs,
      maxFlights: settings.maxFlights,
      maxAnswerBytes: settings.maxAnswerBytes,
    });
    return {
      impl: createCache({ settings, layers, flights, clock, random, newId, metrics, log }),
      async close() {
        flights.close();
        await layers.close();
      },
    };
  },
});
