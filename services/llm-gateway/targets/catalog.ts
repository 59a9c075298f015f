import type { LLMPriceTable, RouteOrder } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type Model, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Env } from '#kit/host/config/config.ts';
import { createPrices, type Prices } from '../accounting/prices.ts';
import type { HedgingSettings, LlmSettings } from '../config.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { extractiveModel, modelsFromEnv } from './default-models.ts';
import { createTarget, fingerprintOf, type Target } from './target.ts';

/** A name for several targets. */
export interface Route {
  readonly name: string;
  readonly targets: readonly Target[];
  readonly order: RouteOrder;
  readonly tasks: readonly Task[];
}

/** What one version of the configuration defines. A request keeps the version that it began with. */
export interface Catalog {
  readonly targets: readonly Target[];
  readonly routes: readonly Route[];
  readonly prices: Prices;
  readonly maxAttempts: number;
  /** Longest wait that a provider may ask for so that a request waits for it instead of going to the next target, in milliseconds. */
  readonly stayMs: number;
  readonly hedging: HedgingSettings;
  readonly retryFiltered: boolean;
  /** Releases its targets; those that a newer catalog has retained stay open. */
  close(): Promise<void>;
}

/** What a catalog depends on. */
export interface CatalogDeps {
  env: Env;
  log: Logger;
  metrics: GatewayMetrics;
}

/**
 * Creates the catalog of a configuration. It retains targets of `before` whose configuration has not changed, with their connections and
 * their state. Throws ConfigError, and then releases everything.
 */
export async function createCatalog(settings: LlmSettings, deps: CatalogDeps, before?: Catalog): Promise<Catalog> {
  const { env, log, metrics } = deps;
  const prices = createPrices(settings.prices);
  const targets: Target[] = [];
  const close = async () => void (await Promise.all(targets.map((target) => target.release())));
  const given = settings.models.length > 0 ? settings.models : modelsFromEnv(env);
  const isGiven = given.some(({ adapter }) => adapter === extractiveModel.adapter);
  const targetDeps = { env, log, metrics, clocks: settings.clocks, breaker: settings.breaker };
  try {
    for (const model of isGiven ? given : [...given, extractiveModel]) {
      const fingerprint = fingerprintOf(model, targetDeps);
      const old = before?.targets.find((target) => target.fingerprint === fingerprint);
      old?.retain();
      const target = old ?? (await createTarget(model, targetDeps));
      const isTaken = targets.some(({ name }) => name === target.name);
      targets.push(target);
      if (isTaken) throw new ConfigError(`${model.path}.name`, `"${target.name}" names another model already`);
    }
    refusePricesOfQuotes(settings.prices, targets);
    const routes = settings.routes.map(({ name, models, order, tasks, path }): Route => {
      if (targets.some((target) => target.name === name)) {
        throw new ConfigError(`${path}.name`, `"${name}" names a model already`);
      }
      return { name, order, tasks, targets: models.map((model) => targetNamed(model, targets, path)) };
    });
    const { maxAttempts, stayMs, hedging, retryFiltered } = settings;
    return Object.freeze({ targets, routes, prices, maxAttempts, stayMs, hedging, retryFiltered, close });
  } catch (error) {
    await close();
    throw error;
  }
}

/** A quotation costs nothing, in budgets and in reports alike, so that a price for it could only be applied in some of them. */
function refusePricesOfQuotes(table: LLMPriceTable | undefined, targets: readonly Target[]): void {
  for (const [index, { model }] of (table?.prices ?? []).entries()) {
    const target = targets.find(({ name }) => name === model);
    if (target === undefined || target.capabilities.generative) continue;
    throw new ConfigError(
      `llm_gateway.prices.prices[${index}].model`,
      `"${model}" only quotes documents, which costs nothing: remove its price`,
    );
  }
}

function targetNamed(model: string, targets: readonly Target[], path: string): Target {
  const target = targets.find(({ name }) => name === model);
  if (target !== undefined) return target;
  const names = targets.map(({ name }) => name);
  throw new ConfigError(`${path}.models`, `no model "${model}" is configured`, names);
}

/** Returns the models and routes that a caller can name, the default one first. */
export function modelsOf({ targets, routes }: Catalog): Omit<Model, '$typeName' | '$unknown'>[] {
  const models = targets.map((target) => ({
    ...supportedBy([target]),
    name: target.name,
    provider: target.adapter,
    targets: [],
    tasks: [],
  }));
  const named = routes.map(({ name, targets: members, tasks }) => ({
    isDefault: tasks.includes(Task.ANSWER),
    model: {
      ...supportedBy(members),
      name,
      provider: [...new Set(members.map(({ adapter }) => adapter))].join(', '),
      targets: members.map((member) => member.name),
      tasks: [...tasks],
    },
  }));
  const routed = (isDefault: boolean) => named.flatMap((entry) => (entry.isDefault === isDefault ? [entry.model] : []));
  return [...routed(true), ...models, ...routed(false)];
}

/** Returns what at least one of the targets supports. A length is 0 if that of one target is not known. */
function supportedBy(targets: readonly Target[]) {
  const all = targets.map(({ capabilities }) => capabilities);
  const [tokenizer = '', ...others] = new Set(targets.map((target) => target.tokenizer));
  const longest = (counts: number[]) => (counts.includes(0) ? 0 : Math.max(...counts));
  return {
    contextTokens: longest(all.map(({ contextTokens }) => contextTokens)),
    maxOutputTokens: longest(all.map(({ maxOutputTokens }) => maxOutputTokens)),
    generative: all.some(({ generative }) => generative),
    tools: all.some(({ tools }) => tools),
    images: all.some(({ images }) => images),
    jsonSchema: all.some(({ jsonSchema }) => jsonSchema),
    tokenizer: others.length > 0 ? '' : tokenizer,
  };
}
