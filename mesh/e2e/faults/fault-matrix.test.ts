import { createHash } from 'node:crypto';
import { beforeAll, expect, test, vi } from 'vitest';
import { AuditService, type UsageRow } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { stretched } from '#kit/testing/time.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import {
  faults,
  half,
  maxAttempts,
  timeoutsOf,
  wholeText,
  wholeUsage,
} from '../../../services/llm-gateway/testing/faults.ts';
import {
  type Attempts,
  chargedOf,
  type FaultCase,
  isTold,
  isWaiting,
  leastMs,
  meetWaiting,
  otherSuffix,
  pausesOf,
  promptOf,
  type Setting,
  settings,
  slackMs,
  startFaultyProvider,
  stayMs,
  stays,
  waitFits,
} from '../../../services/llm-gateway/testing/faulty-provider.ts';
import {
  type Completion,
  completionsAt,
  type Mode,
  type Policy,
  readCompletion,
} from '../testing/fault-matrix-client.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';

// Every fault of a provider × (stream, unary) × each policy that a caller of OpenAI's wire can choose × a target alone or with another
// one behind it: through edge, gateway and ledger, against a real HTTP server.

const modes: readonly Mode[] = ['stream', 'unary'];
const policies: readonly Policy[] = ['fail', 'hold-back'];

interface Case extends FaultCase {
  mode: Mode;
  policy: Policy;
  title: string;
}

/** A wait of seconds is proven by one retry, and a cure by the waits. */
function isWorthIt({ floorMs }: Case['fault'], setting: Setting): boolean {
  switch (setting) {
    case 'with another target':
      return true;
    case 'alone, once':
      return floorMs !== undefined;
    case 'alone, always':
      return floorMs === undefined || floorMs < 500;
  }
}

const cases: Case[] = faults
  .flatMap((fault) => settings.map((setting) => ({ fault, setting })))
  .filter(({ fault, setting }) => isTold(fault, setting))
  .filter(({ fault, setting }) => (waitFits(fault) ? isWorthIt(fault, setting) : setting !== 'alone, once'))
  .flatMap((one) => modes.flatMap((mode) => policies.map((policy) => ({ ...one, mode, policy }))))
  .map((one, index) => ({
    ...one,
    id: `c${index}`,
    title: `${one.fault.name}, ${one.mode}, ${one.policy}, ${one.setting}`,
  }));

/** How a caller sees a case. */
type Expected = { attempts: Attempts } & Omit<Completion, 'retryAfterSeconds' | 'isDone'>;

function expected({ fault, setting, mode, policy }: Case): Expected {
  const { effect } = fault;
  const sole = setting !== 'with another target';
  const once: Attempts = [1, 0];
  const whole = { status: 200, text: wholeText, finishReason: 'stop', error: undefined };
  const cured: Expected = { ...whole, attempts: sole ? [2, 0] : stays(fault) ? [2, 1] : [1, 1] };
  const failed = (status: number, type: string, code: string): Omit<Expected, 'attempts'> => ({
    status,
    text: '',
    finishReason: undefined,
    error: { type, code },
  });
  switch (effect) {
    case 'filtered':
      if (fault.charge === 'part') return { ...whole, attempts: once, text: half, finishReason: 'content_filter' };
      // Before the answer there is no part of it.
      return { ...failed(400, 'invalid_request_error', 'content_filter'), attempts: once };
    case 'length':
      return { ...whole, attempts: once, text: half, finishReason: 'length' };
    case 'fault':
      return { ...failed(400, 'invalid_request_error', 'field_invalid'), attempts: once };
    case 'refused':
      return sole ? { ...failed(400, 'invalid_request_error', 'provider_refused'), attempts: once } : cured;
    case 'before': {
      if (setting !== 'alone, always') return cured;
      const limited = failed(429, 'rate_limit_error', 'rate_limit_exceeded');
      const away = failed(503, 'server_error', 'dependency_unavailable');
      const attempts: Attempts = waitFits(fault) ? [maxAttempts, 0] : once;
      return { ...(fault.name.startsWith('429') ? limited : away), attempts };
    }
    case 'broken':
    case 'truncated': {
      const code = effect === 'broken' ? 'upstream_error' : 'truncated';
      if (policy === 'fail') {
        const told = failed(mode === 'stream' ? 200 : 503, 'server_error', code);
        return { ...told, text: mode === 'stream' ? half : '', attempts: once };
      }
      if (setting !== 'alone, always') return cured;
      return { ...failed(503, 'server_error', 'dependency_unavailable'), attempts: [maxAttempts, 0] };
    }
    default:
      return effect satisfies never;
  }
}

interface Met {
  /** An error that is not one of OpenAI's wire. */
  completion: Completion | Error;
  attempts: Attempts;
  gaps: number[];
  tookMs: number;
}

const met = new Map<string, Met>();
/** The ledger's rows, by the user who asked. */
let ledger: Map<string, UsageRow[]>;
/** Prices for a million tokens. */
const prices = { prompt: 1, completion: 3 };
/** A target with Retry-After cools down for every caller: each of those cases has its own target. */
const hasOwn = ({ fault }: Case) => fault.floorMs !== undefined || fault.reply === undefined;
const faultyModelOf = (one: Case) => `${hasOwn(one) ? one.id : (one.fault.clock ?? 'quick')}-a`;
const modelOf = (one: Case) => {
  const faulty = faultyModelOf(one);
  return one.setting === 'with another target' ? `${faulty}-pair` : faulty;
};
const keyOf = (id: string) => `key-of-${id}`;

// All cases run first, several concurrently, because they mostly wait; each test then checks its own.
beforeAll(async () => {
  await using provider = await startFaultyProvider(cases);
  const faulty = new Map(cases.map((one) => [faultyModelOf(one), one.fault]));
  const adapter = 'openai-compatible';
  const other = { name: 'b', adapter, settings: { base_url: provider.otherUrl, model: otherSuffix } };
  const names = [...faulty.keys()];
  await using mesh = await startWholeMesh({
    sample: false,
    random: () => 0,
    config: {
      edge: {
        apiKeys: cases.map(({ id }) => {
          const sha256 = createHash('sha256').update(keyOf(id)).digest('hex');
          return { id, sha256, tenant: 'demo', user: id, roles: [Role.READER, Role.MODEL_USER] };
        }),
      },
      llmGateway: {
        models: [
          ...[...faulty].map(([name, fault]) => ({
            ...{ name, adapter, settings: { base_url: provider.urlOf(fault), model: name } },
            ...timeoutsOf(fault),
          })),
          other,
        ],
        routes: names.map((name) => ({ name: `${name}-pair`, models: [name, other.name] })),
        maxAttempts,
        stayMs,
        breaker: { failures: 1000 },
        prices: {
          version: 'test',
          currency: 'USD',
          prices: [...names, other.name].map((model) => ({ model, ...prices })),
        },
      },
    },
  });
  const metric = async (line: string) => {
    const text = await mesh.host.metrics.registry.metrics();
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(`${line} `))
        ?.slice(line.length + 1) ?? 0,
    );
  };
  const completions = completionsAt(mesh.edgeUrl);
  const meet = async (one: Case) => {
    const { id, mode, policy, fault } = one;
    const startedAt = performance.now();
    const response = await completions({ key: keyOf(id), model: modelOf(one), prompt: promptOf(id), mode, policy });
    const completion = await readCompletion(response).catch((error: Error) => error);
    const tookMs = performance.now() - startedAt;
    const attempts = provider.attemptsOf(id);
    if (fault.reply === undefined) {
      const labels = `provider="${adapter}",model="${faultyModelOf(one)}",result="broken"`;
      attempts[0] = await metric(`ragmesh_llm_attempt_total{${labels}}`);
    }
    met.set(id, { completion, attempts, gaps: provider.gapsOf(id), tookMs });
  };
  const quick = cases.filter((one) => !isWaiting(one));
  const lane = async () => {
    for (let next = quick.shift(); next !== undefined; next = quick.shift()) await meet(next);
  };
  await Promise.all(Array.from({ length: 48 }, lane));
  await meetWaiting(cases.filter(isWaiting), provider, meet);
  await vi.waitFor(async () => expect(await metric('ragmesh_llm_ledger_pending')).toBe(0), { timeout: 15_000 });
  expect(await metric('ragmesh_llm_requests{state="admitted"}')).toBe(0);
  const auditor = await mesh.as(testPrincipal({ tenant: 'demo' }));
  const { rows } = await mesh.client(AuditService).getUsageReport({}, auditor);
  ledger = Map.groupBy(rows, ({ user }) => user);
});

test.each(cases)('$title', (one) => {
  const { id, mode } = one;
  const { attempts, ...want } = expected(one);
  const { completion, tookMs, gaps, attempts: made } = met.get(id) as Met;
  if (completion instanceof Error) throw completion;
  const { retryAfterSeconds, isDone, ...got } = completion;
  expect(got).toEqual(want);
  // The mark of the end is a stream's, and only of one that is whole.
  expect(isDone).toBe(mode === 'stream' && want.error === undefined);
  if (want.status === 429) expect(retryAfterSeconds).toBeGreaterThanOrEqual(waitFits(one.fault) ? 1 : 599);
  expect(made).toEqual(attempts);
  const least = leastMs(one, attempts);
  // A timer may be a moment early.
  for (const [index, pauseMs] of pausesOf(one, attempts).entries()) {
    // A clock began to run before its request came.
    if (one.fault.clock === undefined) expect(gaps[index] ?? pauseMs).toBeGreaterThanOrEqual(pauseMs - 5);
  }
  expect(tookMs).toBeGreaterThanOrEqual(least - 5);
  expect(tookMs).toBeLessThan(least + stretched(slackMs));
  expect(chargeOf(ledger.get(id) ?? [])).toEqual(expectedCharge(one, attempts));
});

/** What the ledger has of a case: nothing twice. */
function chargeOf(rows: readonly UsageRow[]) {
  const sum = (amount: (row: UsageRow) => bigint) => Number(rows.reduce((total, row) => total + amount(row), 0n));
  return {
    promptTokens: sum((row) => row.promptTokens),
    completionTokens: sum((row) => row.completionTokens),
    costMicros: sum((row) => row.costMicros),
  };
}

/** The provider's count if it succeeded; else the gateway's estimate, which adds a few tokens per message. */
function expectedCharge(one: Case, attempts: Attempts) {
  const { faulty, whole } = chargedOf(one, attempts);
  const partTokens = one.fault.charge === 'part' ? estimateTokens(half) : 0;
  const promptTokens = faulty * (estimateTokens(promptOf(one.id)) + 4) + whole * wholeUsage.promptTokens;
  const completionTokens = faulty * partTokens + whole * wholeUsage.completionTokens;
  return {
    promptTokens,
    completionTokens,
    costMicros: promptTokens * prices.prompt + completionTokens * prices.completion,
  };
}
