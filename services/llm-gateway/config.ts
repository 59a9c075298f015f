import { create, type JsonObject } from '@bufbuild/protobuf';
import {
  type Config,
  LLMBreakerConfigSchema,
  LLMGatewayConfigSchema,
  type LLMHedgingConfig,
  LLMHedgingConfigSchema,
  type LLMLimitsConfig,
  type LLMModelConfig,
  type LLMPriceTable,
  type LLMTimeouts,
  LLMTimeoutsSchema,
  type RouteOrder,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { ifSet } from '#kit/host/config/settings.ts';

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
  /** Time after which a second target gets the request as well, in milliseconds; `undefined`: never. */
  readonly delayMs: number | undefined;
  /** Largest share of the requests that may be hedged, 0 to 1. */
  readonly maxShare: number;
}

/** Returns the settings from the configuration. Throws ConfigError if names clash or a route names an unknown model. */
export function readConfig(config: Config): LlmSettings {
  const llm = config.llmGateway ?? create(LLMGatewayConfigSchema);
  const models = llm.models.map((model, index) =>
    Object.freeze({
      alias: model.name,
      adapter: model.adapter,
      settings: model.settings,
      path: `llm_gateway.models[${index}]`,
      config: model,
    }),
  );
  const routes = llm.routes.map((route, index) =>
    Object.freeze({
      name: route.name,
      models: Object.freeze([...route.models]),
      order: route.order,
      tasks: Object.freeze([...route.tasks]),
      path: `llm_gateway.routes[${index}]`,
    }),
  );
  checkRoutes(routes);
  const breaker = llm.breaker ?? create(LLMBreakerConfigSchema);
  return Object.freeze({
    models: Object.freeze(models),
    routes: Object.freeze(routes),
    maxAttempts: llm.maxAttempts,
    clocks: readClocks(llm.timeouts, create(LLMTimeoutsSchema)),
    breaker: Object.freeze({ failures: breaker.failures, openMs: breaker.openMs }),
    hedging: readHedging(llm.hedging ?? create(LLMHedgingConfigSchema)),
    limits: llm.limits,
    prices: llm.prices,
    retryFiltered: llm.retryFiltered,
  });
}

function readHedging(hedging: LLMHedgingConfig): HedgingSettings {
  return Object.freeze({ delayMs: ifSet(hedging, 'delayMs'), maxShare: hedging.maxShare });
}

/** Returns the timeouts, those that are not set taken from `base`. */
export function readClocks(timeouts: LLMTimeouts | undefined, base: Clocks): Clocks {
  return Object.freeze({
    connectMs: ifSet(timeouts, 'connectMs') ?? base.connectMs,
    headersMs: ifSet(timeouts, 'headersMs') ?? base.headersMs,
    firstTokenMs: ifSet(timeouts, 'firstTokenMs') ?? base.firstTokenMs,
    idleMs: ifSet(timeouts, 'idleMs') ?? base.idleMs,
    totalMs: ifSet(timeouts, 'totalMs') ?? base.totalMs,
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
