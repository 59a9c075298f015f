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
import { isHttpUrl } from '#kit/http/signed-post.ts';
import { type PersonalDataPolicies, readPersonalData } from '#kit/personal-data/policy.ts';

/** Settings of the gateway. */
export interface LlmSettings {
  /** The models of the configuration; empty: those of the environment. */
  readonly models: readonly ModelSettings[];
  readonly routes: readonly RouteSettings[];
  /** Attempts of a request at all of its targets together. */
  readonly maxAttempts: number;
  /** Longest wait that a provider may ask for so that a request waits for it instead of going to the next target, in milliseconds. */
  readonly stayMs: number;
  /** Timeouts of a model without its own. */
  readonly clocks: Clocks;
  readonly breaker: BreakerSettings;
  readonly hedging: HedgingSettings;
  readonly limits: LLMLimitsConfig | undefined;
  readonly prices: LLMPriceTable | undefined;
  /** Whether a request that a content filter refused is retried at the next target. */
  readonly retryFiltered: boolean;
  /** What is done with personal data in requests that are not of chat. */
  readonly personalData: PersonalDataPolicies;
}

/** A model to load. */
export interface ModelSettings {
  /** Name for callers; empty: the name of the model. */
  readonly alias: string;
  /** Name of its adapter. */
  readonly adapter: string;
  readonly settings: JsonObject | undefined;
  /** Place of the model in the configuration, for errors. */
  readonly path: string;
  /** Its other fields in the configuration; `undefined`: none. */
  readonly config?: LLMModelConfig | undefined;
}

/** A name for several models. */
export interface RouteSettings {
  readonly name: string;
  readonly models: readonly string[];
  readonly order: RouteOrder;
  /** Tasks that use the route if the caller names no model. */
  readonly tasks: readonly Task[];
  readonly path: string;
}

/** Timeouts of an attempt by its stages, in milliseconds. */
export interface Clocks {
  /** Until the connection is open. */
  readonly connectMs: number;
  /** From the start to the head of the response. */
  readonly headersMs: number;
  /** From the start to the first content (text, reasoning or a tool call). */
  readonly firstTokenMs: number;
  /** Between two pieces of content. */
  readonly idleMs: number;
  /** For the whole attempt. */
  readonly totalMs: number;
  /** For the whole attempt if its reply is in one piece. */
  readonly wholeMs: number;
}

/** When the circuit of a target opens. */
export interface BreakerSettings {
  /** Consecutive failures that open it. */
  readonly failures: number;
  /** Time until a probe, in milliseconds. */
  readonly openMs: number;
}

/** Second attempts beside slow first attempts. */
export interface HedgingSettings {
  /** Time after which a second target also gets the request, in milliseconds; `undefined`: never. */
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
  const { url } = llm.limits?.alerts ?? {};
  if (url !== undefined && !isHttpUrl(url)) {
    throw new ConfigError('llm_gateway.limits.alerts.url', `"${url}" is no http or https address`);
  }
  const breaker = llm.breaker ?? create(LLMBreakerConfigSchema);
  return Object.freeze({
    models: Object.freeze(models),
    routes: Object.freeze(routes),
    maxAttempts: llm.maxAttempts,
    stayMs: llm.stayMs,
    clocks: readClocks(llm.timeouts, create(LLMTimeoutsSchema)),
    breaker: Object.freeze({ failures: breaker.failures, openMs: breaker.openMs }),
    hedging: readHedging(llm.hedging ?? create(LLMHedgingConfigSchema)),
    limits: llm.limits,
    prices: llm.prices,
    retryFiltered: llm.retryFiltered,
    personalData: readPersonalData(config.personalData),
  });
}

function readHedging(hedging: LLMHedgingConfig): HedgingSettings {
  return Object.freeze({ delayMs: ifSet(hedging, 'delayMs'), maxShare: hedging.maxShare });
}

/** Returns the timeouts. Those that are not set have the values of `base`. */
export function readClocks(timeouts: LLMTimeouts | undefined, base: Clocks): Clocks {
  return Object.freeze({
    connectMs: ifSet(timeouts, 'connectMs') ?? base.connectMs,
    headersMs: ifSet(timeouts, 'headersMs') ?? base.headersMs,
    firstTokenMs: ifSet(timeouts, 'firstTokenMs') ?? base.firstTokenMs,
    idleMs: ifSet(timeouts, 'idleMs') ?? base.idleMs,
    totalMs: ifSet(timeouts, 'totalMs') ?? base.totalMs,
    wholeMs: ifSet(timeouts, 'wholeMs') ?? base.wholeMs,
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
