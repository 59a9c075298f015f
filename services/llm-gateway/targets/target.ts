import { create } from '@bufbuild/protobuf';
import type { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type LLMModelConfig, LLMModelConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type GenerateRequest, MidStreamPolicy } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import type { Logger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { Env } from '#kit/host/config/config.ts';
import { ifSet } from '#kit/host/config/settings.ts';
import { type BreakerSettings, type Clocks, type ModelSettings, readClocks } from '../config.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { LlmCapabilities, LlmProvider, LlmProviderDeps } from '../providers/llm-provider.ts';
import { createTargetFetch } from '../transport/fetch.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import { createLatency, type Latency } from './latency.ts';
import { createRedact, type Redact } from './redact.ts';
import { createSlots, type Slots } from './slots.ts';
import { tokenizerOf } from './tokenizer.ts';

const adapters = new URL('../adapters/llm-provider/', import.meta.url);

/** Requests that may wait for a slot of one target. */
const maxWaiting = 1000;
/** Longest cool-down of a target, in milliseconds. The backoff of a single request may be longer. */
const maxCoolMs = 60_000;

/** A model at a provider under the name that callers use, with its state. */
export interface Target {
  readonly name: string;
  readonly adapter: string;
  readonly provider: LlmProvider;
  /** The capabilities that the adapter knows, with the overrides of the configuration. */
  readonly capabilities: LlmCapabilities;
  /** Fields of the provider's own API that callers may set. */
  readonly requestFields: ReadonlySet<string>;
  /** Fields of every request to the provider. */
  readonly extraFields: Readonly<Record<string, unknown>>;
  /** Field of an assistant's message for its reasoning; empty: reasoning is not sent. */
  readonly reasoningField: string;
  /** Whether the provider's own values of tool calls are sent to it. */
  readonly callExtraContent: boolean;
  /** Vocabulary of its tokens; empty: not known. */
  readonly tokenizer: string;
  readonly clocks: Clocks;
  /** Clocks of replies in one piece; `undefined`: every request streams. */
  readonly wholeClocks: Clocks | undefined;
  readonly weight: number;
  /** Languages that it writes well; empty: all. */
  readonly languages: readonly Language[];
  readonly breaker: Breaker;
  readonly slots: Slots;
  readonly latency: Latency;
  readonly redact: Redact;
  /** Returns the rest of the cool-down that the provider asked for, in milliseconds; 0: none. */
  coolDownMs(): number;
  /** Attempts by result: an outcome, or the kind of the failure. */
  readonly results: ReadonlyMap<string, number>;
  /** Counts an attempt that has ended. */
  count(result: string): void;
  /** Starts a cool-down, as the provider asked. */
  coolDown(ms: number): void;
  /** Identifies the configuration of the target: a new catalog retains a target with the same fingerprint. */
  readonly fingerprint: string;
  /** Returns the number of open connections; for tests and metrics. */
  connectionCount(): number;
  /** Adds a catalog that holds the target. */
  retain(): void;
  /** Removes a catalog that holds the target; the last one closes it. */
  release(): Promise<void>;
}

/** What a target depends on. */
export interface TargetDeps {
  /** Its proxies are used. */
  env: Env;
  log: Logger;
  metrics: GatewayMetrics;
  clocks: Clocks;
  breaker: BreakerSettings;
}

/** Returns the fingerprint of a target: everything that it is created from. */
export function fingerprintOf(
  model: ModelSettings,
  { clocks, breaker }: Pick<TargetDeps, 'clocks' | 'breaker'>,
): string {
  const { alias, adapter, settings, config } = model;
  return JSON.stringify([alias, adapter, settings, config === undefined ? null : { ...config }, clocks, breaker]);
}

/** Loads the adapter and creates the target. Throws ConfigError for an invalid setting. */
export async function createTarget(model: ModelSettings, deps: TargetDeps): Promise<Target> {
  const { alias, adapter, settings, path, config = create(LLMModelConfigSchema) } = model;
  const clocks = readClocks(config.timeouts, deps.clocks);
  const { maxConcurrent } = config;
  const connections = createTargetFetch(clocks, maxConcurrent, deps.env);
  let provider: LlmProvider;
  try {
    const given: LlmProviderDeps = { log: deps.log, path, fetch: connections.fetch };
    provider = await createFromAdapter<LlmProvider, LlmProviderDeps>(adapters, adapter, settings, given, path);
  } catch (error) {
    await connections.close();
    throw error;
  }
  const name = alias || provider.name;
  const wrong = wrongIn(name, config, provider);
  if (wrong !== undefined) {
    await provider.close();
    await connections.close();
    throw new ConfigError(`${path}.${wrong.field}`, wrong.message);
  }
  const results = new Map<string, number>();
  let coolUntil = 0;
  let holderCount = 1;
  // A reload makes a new circuit, which is closed whatever the one before was.
  deps.metrics.targetBreakerState.set({ model: name }, 0);
  return {
    name,
    adapter,
    provider,
    capabilities: capabilitiesOf(provider, config),
    requestFields: new Set(
      config.requestFields.length > 0 ? config.requestFields : (provider.capabilities.requestFields ?? []),
    ),
    extraFields: Object.freeze({ ...config.extraFields }),
    reasoningField: config.reasoningField,
    callExtraContent: config.callExtraContent,
    tokenizer: tokenizerOf(provider.name, config),
    clocks,
    wholeClocks: config.whole ? toWholeClocks(clocks) : undefined,
    weight: config.weight,
    languages: config.languages,
    breaker: createBreaker(deps.breaker, (state) => {
      deps.metrics.targetBreakerState.set({ model: name }, state);
      deps.log.warn(
        { event: 'circuit_changed', model: name, state: ['closed', 'half open', 'open'][state] },
        'circuit of a model changed',
      );
    }),
    slots: createSlots(maxConcurrent, maxWaiting),
    latency: createLatency(() => performance.now()),
    redact: createRedact(settings),
    results,
    count: (result) => void results.set(result, (results.get(result) ?? 0) + 1),
    coolDownMs: () => Math.max(0, coolUntil - performance.now()),
    coolDown(ms) {
      coolUntil = Math.max(coolUntil, performance.now() + Math.min(ms, maxCoolMs));
    },
    fingerprint: fingerprintOf(model, deps),
    connectionCount: connections.openCount,
    retain() {
      holderCount += 1;
    },
    async release() {
      holderCount -= 1;
      if (holderCount > 0) return;
      await provider.close();
      await connections.close();
    },
  };
}

function wrongIn(name: string, { whole, adapter }: LLMModelConfig, { capabilities }: LlmProvider) {
  if (name.length > 256) return { field: 'name', message: 'is longer than 256 characters' };
  if (!whole || capabilities.whole) return undefined;
  return { field: 'whole', message: `is set, but the adapter ${adapter} always streams: remove it` };
}

/** Returns the clocks of a reply in one piece: it has one deadline, because no token is seen before the last one. */
function toWholeClocks(clocks: Clocks): Clocks {
  const { wholeMs } = clocks;
  return Object.freeze({ ...clocks, headersMs: wholeMs, firstTokenMs: wholeMs, totalMs: wholeMs });
}

/** Returns whether the target is asked for a reply in one piece: its policy allows it, and the caller sees nothing before the end. */
export function isAskedWhole(
  { wholeClocks }: Pick<Target, 'wholeClocks'>,
  { midStreamPolicy }: Pick<GenerateRequest, 'midStreamPolicy'>,
): boolean {
  return wholeClocks !== undefined && midStreamPolicy === MidStreamPolicy.HOLD_BACK;
}

/** Returns the clocks of a request at the target. */
export function clocksOf(target: Target, request: Pick<GenerateRequest, 'midStreamPolicy'>): Clocks {
  return target.wholeClocks !== undefined && isAskedWhole(target, request) ? target.wholeClocks : target.clocks;
}

function capabilitiesOf({ capabilities: known }: LlmProvider, config: LLMModelConfig): LlmCapabilities {
  return Object.freeze({
    ...known,
    contextTokens: ifSet(config, 'contextTokens') ?? known.contextTokens,
    maxOutputTokens: ifSet(config, 'maxOutputTokens') ?? known.maxOutputTokens,
    tools: ifSet(config, 'tools') ?? known.tools,
    images: ifSet(config, 'images') ?? known.images,
    jsonSchema: ifSet(config, 'jsonSchema') ?? known.jsonSchema,
    prefill: ifSet(config, 'prefill') ?? known.prefill,
  });
}
