import { createLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics/metrics.ts';
import { type Breakers, createBreakers } from '../breaker/breakers.ts';

/** Creates breakers that no one sees. */
export const createTestBreakers = (): Breakers => createBreakers(createMetrics(), createLogger('silent'));
