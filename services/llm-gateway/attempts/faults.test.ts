import { Code, ConnectError } from '@connectrpc/connect';
import { beforeAll, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import {
  type GenerateResponse,
  MidStreamPolicy,
  MidStreamPolicySchema,
  Outcome,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { stretched } from '#kit/testing/time.ts';
import { type Effect, faults, half, maxAttempts, timeoutsOf, wholeText } from '../testing/faults.ts';
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
} from '../testing/faulty-provider.ts';
import {
  casesOf,
  doneOf,
  eventually,
  modelAt,
  plainQuestion,
  startTestGateway,
  type TestGateway,
  textOf,
  usagesOf,
} from '../testing/gateway.ts';

// Every fault × every mid-stream policy × a target alone or with another one behind it, through the rpc, against a real HTTP server.

const policies = [MidStreamPolicy.FAIL, MidStreamPolicy.RESTART, MidStreamPolicy.CONTINUE, MidStreamPolicy.HOLD_BACK];

/** How a case is met: by how many attempts at the first and the second target, with which end and which text. */
interface Expected {
  attempts: Attempts;
  outcome?: Outcome;
  code?: Code;
  text?: string;
  resets: number;
}

function expected({ fault, policy, setting }: Case): Expected {
  const { effect, code } = fault;
  const once = { attempts: [1, 0] as Attempts, resets: 0 };
  const sole = setting !== 'with another target';
  const next: Attempts = sole ? [2, 0] : stays(fault) ? [2, 1] : [1, 1];
  const isHeld = policy === MidStreamPolicy.HOLD_BACK;
  const isContinued = policy === MidStreamPolicy.CONTINUE;
  const good = { attempts: next, outcome: Outcome.COMPLETE, resets: 0 };
  switch (effect) {
    case 'filtered':
      return { ...once, outcome: Outcome.FILTERED };
    case 'length':
      return { ...once, outcome: Outcome.LENGTH, text: half };
    case 'fault':
      return { ...once, ...(code === undefined ? {} : { code }) };
    case 'refused':
      return sole ? { ...once, ...(code === undefined ? {} : { code }) } : { ...good, text: wholeText };
    case 'before':
      if (sole && !waitFits(fault)) return { ...once, code: Code.Unavailable };
      if (setting === 'alone, always') return { attempts: [maxAttempts, 0], code: Code.Unavailable, resets: 0 };
      return { ...good, text: wholeText };
    case 'broken':
    case 'truncated': {
      const broken = effect === 'broken' ? Outcome.UPSTREAM_ERROR : Outcome.TRUNCATED;
      if (policy === MidStreamPolicy.FAIL) return { ...once, outcome: broken, text: half };
      if (setting === 'alone, always') {
        if (isHeld) return { attempts: [maxAttempts, 0], code: Code.Unavailable, resets: 0 };
        const text = isContinued ? half.repeat(maxAttempts) : half;
        return { attempts: [maxAttempts, 0], outcome: broken, text, resets: isContinued ? 0 : maxAttempts - 1 };
      }
      if (isHeld) return { ...good, text: wholeText };
      // After the rejection it starts again at the same target.
      if (isContinued && fault.other !== undefined) return { ...good, attempts: [1, 2], text: wholeText, resets: 1 };
      return isContinued ? { ...good, text: half + wholeText } : { ...good, text: wholeText, resets: 1 };
    }
    default:
      return effect satisfies never;
  }
}

/** Faults that the policies for the middle of an answer meet; before its first word they come to two: what is sent is held, or it is not. */
const inTheMiddle: readonly Effect[] = ['broken', 'truncated'];
const proves = (effect: Effect, policy: MidStreamPolicy) =>
  inTheMiddle.includes(effect) || policy === MidStreamPolicy.FAIL || policy === MidStreamPolicy.HOLD_BACK;
/** A wait of seconds is proven once for each form, and not again and again. */
const isWorthIt = (floorMs: number, setting: Setting, policy: MidStreamPolicy) =>
  floorMs < 500 || setting === 'with another target' || (setting === 'alone, once' && policy === MidStreamPolicy.FAIL);
interface Case extends FaultCase {
  policy: MidStreamPolicy;
  title: string;
}
const cases: Case[] = faults
  .flatMap((fault) => policies.flatMap((policy) => settings.map((setting) => ({ fault, policy, setting }))))
  .filter(({ fault, setting }) => isTold(fault, setting))
  .filter(({ fault, policy, setting }) => setting === 'with another target' || proves(fault.effect, policy))
  .filter(({ fault, policy, setting }) => !waitFits(fault) || isWorthIt(fault.floorMs ?? 0, setting, policy))
  .map(({ fault, policy, setting }, index) => {
    const title = `${fault.name}, ${enumName(MidStreamPolicySchema, policy)}, ${setting}`;
    return { id: `c${index}`, fault, policy, setting, title };
  });
/** Cases of one gateway: each has up to two models, and the configuration takes no more than 128. */
const groupSize = 60;
const groups = Array.from({ length: Math.ceil(cases.length / groupSize) }, (_, at) =>
  cases.slice(at * groupSize, (at + 1) * groupSize),
);

/** What came of a case. */
interface Met {
  responses: GenerateResponse[] | undefined;
  error: ConnectError | undefined;
  tookMs: number;
  attempts: Attempts;
  gaps: number[];
  /** Attempts in the ledger. */
  chargedCount: number;
}

const met = new Map<string, Omit<Met, 'chargedCount'>>();
const charged = new Map<string, number>();
const hasOther = ({ setting }: Case) => setting === 'with another target';

// All cases run first, several concurrently, because most of their time is waiting; each test then checks its own.
beforeAll(async () => {
  await using provider = await startFaultyProvider(cases);
  await using stack = new AsyncDisposableStack();
  const modelsFor = ({ id, fault, ...one }: Case) => {
    const faultyInit = { prefill: fault.other === undefined, ...timeoutsOf(fault) };
    const faulty = modelAt(provider.urlOf(fault), `${id}-a`, faultyInit);
    const settingsOfOther = { model: `${id}${otherSuffix}` };
    const other = modelAt(provider.otherUrl, `${id}-other`, { prefill: true, settings: settingsOfOther });
    return hasOther({ id, fault, ...one }) ? [faulty, other] : [faulty];
  };
  const gatewayOf = new Map<string, TestGateway>();
  for (const group of groups) {
    const gateway = stack.use(
      await startTestGateway({
        models: group.flatMap(modelsFor),
        routes: group.filter(hasOther).map(({ id }) => ({ name: id, models: [`${id}-a`, `${id}-other`] })),
        maxAttempts,
        stayMs,
        breaker: { failures: 1000 },
      }),
    );
    for (const { id } of group) gatewayOf.set(id, gateway);
  }
  const meet = async (one: Case) => {
    const { id, fault } = one;
    const gateway = gatewayOf.get(id) as TestGateway;
    const startedAt = performance.now();
    const [result] = await Promise.allSettled([
      gateway.ask({
        model: hasOther(one) ? id : `${id}-a`,
        messages: [{ ...plainQuestion, text: promptOf(id) }],
        midStreamPolicy: one.policy,
        requestId: id,
      }),
    ]);
    const tookMs = performance.now() - startedAt;
    const attempts = provider.attemptsOf(id);
    if (fault.reply === undefined) {
      const labels = `provider="openai-compatible",model="${id}-a-at-provider",result="broken"`;
      attempts[0] = await gateway.metric(`ragmesh_llm_attempt_total{${labels}}`);
    }
    met.set(id, {
      responses: result.status === 'fulfilled' ? result.value : undefined,
      error: result.status === 'rejected' ? ConnectError.from(result.reason) : undefined,
      tookMs,
      attempts,
      gaps: provider.gapsOf(id),
    });
  };
  const quick = cases.filter((one) => !isWaiting(one));
  const lane = async () => {
    for (let next = quick.shift(); next !== undefined; next = quick.shift()) await meet(next);
  };
  await Promise.all(Array.from({ length: 48 }, lane));
  await meetWaiting(cases.filter(isWaiting), provider, meet);
  for (const gateway of new Set(gatewayOf.values())) {
    await eventually(async () => expect(await gateway.metric('ragmesh_llm_ledger_pending')).toBe(0));
    for (const [id, { usages }] of gateway.entries) charged.set(id, usages.length);
  }
});

test.each(cases)('$title', (one) => {
  const { id, fault } = one;
  const want = expected(one);
  const { responses, error, tookMs, attempts, gaps } = met.get(id) as Met;
  if (want.code !== undefined) {
    const isRate = fault.name.startsWith('429 with');
    expect(error?.code).toBe(isRate && want.code === Code.Unavailable ? Code.ResourceExhausted : want.code);
    if (isRate) expect(error?.findDetails(RetryInfoSchema)).toHaveLength(1);
  } else {
    expect(error).toBeUndefined();
    const got = responses ?? [];
    expect(doneOf(got).outcome).toBe(want.outcome);
    if (want.text !== undefined) expect(textOf(got)).toBe(want.text);
    expect(casesOf(got).filter((kind) => kind === 'reset')).toHaveLength(want.resets);
    expect(usagesOf(got)).toHaveLength(1);
    expect(doneOf(got).attemptCount).toBe(want.attempts[0] + want.attempts[1]);
  }
  expect(attempts).toEqual(want.attempts);
  const { faulty, whole } = chargedOf(one, want.attempts);
  expect(charged.get(id) ?? 0).toBe(faulty + whole);
  const least = leastMs(one, want.attempts);
  // A timer may be a moment early.
  for (const [index, pauseMs] of pausesOf(one, want.attempts).entries()) {
    // A clock began to run before its request came.
    if (one.fault.clock === undefined) expect(gaps[index] ?? pauseMs).toBeGreaterThanOrEqual(pauseMs - 5);
  }
  expect(tookMs).toBeGreaterThanOrEqual(least - 5);
  expect(tookMs).toBeLessThan(least + stretched(slackMs));
});
