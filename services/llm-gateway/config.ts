import type { JsonObject } from '@bufbuild/protobuf';
import {
  type Config,
  type LLMLimitsConfig,
  type LLMModelConfig,
  type LLMPriceTable,
  type LLMTimeouts,
  RouteOrder,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ConfigError } from '#kit/config-error.ts';

/** Settings of the gateway. */
export interface LlmSettings {
  /** The models of the configuration; empty: those that the environment gives. */
  readonly models: readonly ModelSettings[];
  readonly routes: readonly RouteSettings[];
  /** Attempts of a request at all its targets together. */
  readonly maxAttempts: number;
  /** Waits of a model that sets none of its own. */
  readonly clocks: Clocks;
  readonly breaker: BreakerSettings;
  readonly hedging: HedgingSettings;
  readonly limits: LLMLimitsConfig | undefined;
  readonly prices: LLMPriceTable | undefined;
  /** Whether a content filter's refusal moves on to the next target. */
  readonly retryFiltered: boolean;
}

/** A model to load. */
export interface ModelSettings {
  /** Name to call it by; empty: its own. */
  readonly alias: string;
  /** Its adapter. */
  readonly adapter: string;
  readonly settings: JsonObject | undefined;
  /** Where the configuration names it, for errors. */
  readonly path: string;
  /** What the configuration says beside its settings; `undefined`: nothing. */
  readonly config?: LLMModelConfig | undefined;
}

/** A name that stands for several models. */
export interface RouteSettings {
  readonly name: string;
  readonly models: readonly string[];
  readonly order: RouteOrder;
  /** Tasks that take it where the caller names no model. */
  readonly tasks: readonly Task[];
  readonly path: string;
}

/** How long an attempt may take for each of its stages, in milliseconds. */
export interface Clocks {
  /** For a connection. */
  readonly connectMs: number;
  /** For the head of the reply, from the start. */
  readonly headersMs: number;
  /** For the first content (text, reasoning or a tool call), from the start. */
  readonly firstTokenMs: number;
  /** From one piece of content to the next. */
  readonly idleMs: number;
  /** For all of it. */
  readonly totalMs: number;
}

/** When a target is left alone. */
export interface BreakerSettings {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Time until one request may try again, in milliseconds. */
  readonly openMs: number;
}

/** Second attempts beside slow first ones. */
export interface HedgingSettings {
  /** Time after which a second target is asked as well, in milliseconds; 0: never. */
  readonly delayMs: number;
  /** Largest share of the requests that may be hedged, 0 to 1. */
  readonly maxShare: number;
}

const defaultClocks: Clocks = Object.freeze({
  connectMs: 2000,
  headersMs: 30_000,
  firstTokenMs: 30_000,
  idleMs: 15_000,
  totalMs: 120_000,
});

/** The settings from the configuration. Throws ConfigError where names clash or a route names a model that is not there. */
export function readConfig({ llmGateway: llm }: Config): LlmSettings {
  const models = (llm?.models ?? []).map((config, index) =>
    Object.freeze({
      alias: config.name,
      adapter: config.adapter,
      settings: config.settings,
      path: `llm_gateway.models[${index}]`,
      config,
    }),
  );
  const routes = (llm?.routes ?? []).map((route, index) =>
    Object.freeze({
      name: route.name,
      models: Object.freeze([...route.models]),
      order: route.order || RouteOrder.LISTED,
      tasks: Object.freeze([...route.tasks]),
      path: `llm_gateway.routes[${index}]`,
    }),
  );
  checkRoutes(routes);
  return Object.freeze({
    models: Object.freeze(models),
    routes: Object.freeze(routes),
    maxAttempts: llm?.maxAttempts || 4,
    clocks: readClocks(llm?.timeouts, defaultClocks),
    breaker: Object.freeze({ failures: llm?.breaker?.failures || 5, openMs: llm?.breaker?.openMs || 10_000 }),
    hedging: Object.freeze({ delayMs: llm?.hedging?.delayMs ?? 0, maxShare: llm?.hedging?.maxShare ?? 0.05 }),
    limits: llm?.limits,
    prices: llm?.prices,
    retryFiltered: llm?.retryFiltered ?? false,
  });
}

/** Waits with those that are not set taken from `base`. */
export function readClocks(timeouts: LLMTimeouts | undefined, base: Clocks): Clocks {
  return Object.freeze({
    connectMs: timeouts?.connectMs || base.connectMs,
    headersMs: timeouts?.headersMs || base.headersMs,
    firstTokenMs: timeouts?.firstTokenMs || base.firstTokenMs,
    idleMs: timeouts?.idleMs || base.idleMs,
    totalMs: timeouts?.totalMs || base.totalMs,
  });
}

function checkRoutes(routes: readonly RouteSettings[]): void {
  const takenTasks = new Map<Task, string>();
  for (const { name, path, tasks: taken } of routes) {
    if (routes.filter((other) => other.name === name).length > 1) {
      throw new ConfigError(`${path}.name`, `"${name}" names another route as well`);
    }
    for (const task of taken) {
      const other = takenTasks.get(task);
      if (other !== undefined) throw new ConfigError(`${path}.tasks`, `a task of it is taken by the route "${other}"`);
      takenTasks.set(task, name);
    }
  }
}
