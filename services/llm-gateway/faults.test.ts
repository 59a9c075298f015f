import { Code, ConnectError } from '@connectrpc/connect';
import { beforeAll, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { type GenerateResponse, MidStreamPolicy, MidStreamPolicySchema, Outcome } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { enumName } from '#kit/enums.ts';
import {
  after,
  content,
  cutAfter,
  doneMark,
  failed,
  finish,
  type Reply,
  startFakeProvider,
  streamed,
  usage,
} from './testing.ts';
import { casesOf, doneOf, modelAt, startTestGateway, textOf, usagesOf } from './testing-gateway.ts';

// Every fault × every mid-stream policy × a target alone or with another one behind it, through the rpc, against a real HTTP server.

/** What a fault does to an attempt. */
type Effect =
  /** It fails before its first word, and another try may help. */
  | 'before'
  /** It fails before its first word, for good. */
  | 'refused'
  /** It breaks off after its first word, with an error. */
  | 'broken'
  /** It breaks off after its first word, without a word. */
  | 'truncated'
  /** The model's own result. */
  | 'filtered'
  /** The caller's fault. */
  | 'fault';

interface Fault {
  name: string;
  reply: Reply;
  effect: Effect;
  /** What a caller is told where nothing was sent and nobody is left. */
  code?: Code;
  /** The shortest wait before the same target is asked again, in milliseconds. */
  floorMs?: number;
  /** Whether a clock of the target has to run out; the others have time. */
  isSlow?: boolean;
}

const head = [content('half ')];
const patience = { headersMs: 1000, firstTokenMs: 1200, idleMs: 1000 };
const httpDate: Reply = (...call) => rateLimited({ 'retry-after': new Date(Date.now() + 2000).toUTCString() })(...call);
const rateLimited = (headers: Record<string, string>) => failed(429, { code: 'rate_limit_exceeded' }, headers);
const json = (body: object): Reply => {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
};

const faults: Fault[] = [
  { name: '429 with seconds', reply: rateLimited({ 'retry-after': '1' }), effect: 'before', floorMs: 1000 },
  { name: '429 with milliseconds', reply: rateLimited({ 'retry-after-ms': '300' }), effect: 'before', floorMs: 300 },
  { name: '429 with an HTTP date', reply: httpDate, effect: 'before', floorMs: 950 },
  { name: '429 with nothing', reply: rateLimited({}), effect: 'before' },
  { name: '500', reply: failed(500, { message: 'boom' }), effect: 'before' },
  { name: '529', reply: failed(529, { type: 'overloaded_error' }), effect: 'before' },
  { name: 'a connection cut before the head', reply: (response) => response.destroy(), effect: 'before' },
  { name: 'a slow head', reply: after(8000, streamed(head)), isSlow: true, effect: 'before' },
  {
    name: 'a slow first token',
    reply: streamed([{ choices: [{ delta: { role: 'assistant' } }] }], true),
    isSlow: true,
    effect: 'before',
  },
  { name: 'a terminator alone', reply: streamed([doneMark]), effect: 'before' },
  { name: 'a malformed first event', reply: streamed(['data: {"choices":\n\n']), effect: 'before' },
  {
    name: 'an error in a 200 before the first word',
    reply: streamed([{ error: { message: 'x' } }, doneMark]),
    effect: 'before',
  },
  {
    name: 'a reply in one piece without an end',
    reply: json({ choices: [{ message: { content: null } }] }),
    effect: 'before',
  },
  {
    name: '429 for quota',
    reply: failed(429, { code: 'insufficient_quota' }),
    effect: 'refused',
    code: Code.FailedPrecondition,
  },
  { name: '402', reply: failed(402, {}), effect: 'refused', code: Code.FailedPrecondition },
  { name: '401', reply: failed(401, { code: 'invalid_api_key' }), effect: 'refused', code: Code.FailedPrecondition },
  { name: 'a stall', reply: streamed(head, true), isSlow: true, effect: 'broken' },
  { name: 'a cut', reply: cutAfter(head), effect: 'broken' },
  { name: 'a malformed event', reply: streamed([...head, 'data: {"choices":\n\n']), effect: 'broken' },
  { name: 'an error in a 200', reply: streamed([...head, { error: { message: 'x' } }, doneMark]), effect: 'broken' },
  { name: 'a missing end', reply: streamed([...head, doneMark]), effect: 'truncated' },
  { name: 'an aborted end', reply: streamed([...head, finish('abort'), doneMark]), effect: 'truncated' },
  { name: 'a filter before the answer', reply: failed(400, { code: 'content_filter' }), effect: 'filtered' },
  {
    name: 'a filter in the answer',
    reply: streamed([...head, finish('content_filter'), doneMark]),
    effect: 'filtered',
  },
  {
    name: 'a request that is at fault',
    reply: failed(400, { message: 'bad' }),
    effect: 'fault',
    code: Code.InvalidArgument,
  },
];
const whole = streamed([content('whole'), finish('stop'), usage(10, 2), doneMark]);
const policies = [MidStreamPolicy.FAIL, MidStreamPolicy.RESTART, MidStreamPolicy.CONTINUE, MidStreamPolicy.HOLD_BACK];
const maxAttempts = 3;

/** How a fault is met: by how many attempts at the first and the second server, with which end and which text. */
interface Expected {
  attempts: [number, number];
  outcome?: Outcome;
  code?: Code;
  text?: string;
  resets: number;
}

type Setting = 'with another target' | 'alone, once' | 'alone, always';

function expected({ effect, code }: Fault, policy: MidStreamPolicy, setting: Setting): Expected {
  const once = { attempts: [1, 0] as [number, number], resets: 0 };
  const sole = setting !== 'with another target';
  const next: [number, number] = sole ? [2, 0] : [1, 1];
  const isHeld = policy === MidStreamPolicy.HOLD_BACK;
  const good = { attempts: next, outcome: Outcome.COMPLETE, resets: 0 };
  switch (effect) {
    case 'filtered':
      return { ...once, outcome: Outcome.FILTERED };
    case 'fault':
      return { ...once, ...(code === undefined ? {} : { code }) };
    case 'refused':
      return sole ? { ...once, ...(code === undefined ? {} : { code }) } : { ...good, text: 'whole' };
    case 'before':
      if (setting === 'alone, always') return { attempts: [maxAttempts, 0], code: Code.Unavailable, resets: 0 };
      return { ...good, text: 'whole' };
    case 'broken':
    case 'truncated': {
      const broken = effect === 'broken' ? Outcome.UPSTREAM_ERROR : Outcome.TRUNCATED;
      if (policy === MidStreamPolicy.FAIL) return { ...once, outcome: broken, text: 'half ' };
      if (setting === 'alone, always') {
        if (isHeld) return { attempts: [maxAttempts, 0], code: Code.Unavailable, resets: 0 };
        const isContinued = policy === MidStreamPolicy.CONTINUE;
        const text = isContinued ? 'half '.repeat(maxAttempts) : 'half ';
        return { attempts: [maxAttempts, 0], outcome: broken, text, resets: isContinued ? 0 : maxAttempts - 1 };
      }
      if (isHeld) return { ...good, text: 'whole' };
      return policy === MidStreamPolicy.CONTINUE
        ? { ...good, text: 'half whole' }
        : { ...good, text: 'whole', resets: 1 };
    }
    default:
      return effect satisfies never;
  }
}

const settings: Setting[] = ['with another target', 'alone, once', 'alone, always'];
/** Faults that the policies for the middle of an answer meet; before its first word they come to two: what is sent is held, or it is not. */
const inTheMiddle: readonly Effect[] = ['broken', 'truncated'];
const proves = (effect: Effect, policy: MidStreamPolicy) =>
  inTheMiddle.includes(effect) || policy === MidStreamPolicy.FAIL || policy === MidStreamPolicy.HOLD_BACK;
const cases = faults.flatMap((fault) =>
  policies.flatMap((policy) =>
    settings
      .filter((setting) => setting === 'with another target' || proves(fault.effect, policy))
      // A wait of seconds is proven once for each form, and not again and again.
      .filter((setting) => setting !== 'alone, always' || (fault.floorMs ?? 0) < 500)
      .filter((setting) => setting !== 'alone, once' || (fault.floorMs ?? 0) < 500 || policy === MidStreamPolicy.FAIL)
      .map((setting) => ({ fault, policy, setting })),
  ),
);
/** Cases of one gateway: each has up to two models, and the configuration takes no more than 128. */
const groupSize = 60;
const numbered = cases.map((one, index) => ({
  ...one,
  id: `c${index}`,
  title: `${one.fault.name}, ${enumName(MidStreamPolicySchema, one.policy)}, ${one.setting}`,
}));
type Case = (typeof numbered)[number];
const groups = Array.from({ length: Math.ceil(numbered.length / groupSize) }, (_, at) =>
  numbered.slice(at * groupSize, (at + 1) * groupSize),
);

/** What came of a case. */
interface Met {
  responses: GenerateResponse[] | undefined;
  error: ConnectError | undefined;
  tookMs: number;
  attempts: [number, number];
}

const met = new Map<string, Met>();
/** Far more than any case waits for by itself, far less than a clock that is not its own. */
const ceilingMs = 14_000;
const hasOther = ({ setting }: Case) => setting === 'with another target';
const modelsFor = (url: string, one: Case) => [
  modelAt(url, `${one.id}-a`, { prefill: true, ...(one.fault.isSlow ? { timeouts: patience } : {}) }),
  ...(hasOther(one) ? [modelAt(url, `${one.id}-b`, { prefill: true })] : []),
];

// All cases are met first, several at once, since nearly all of their time is waiting; each test then looks at its own.
beforeAll(async () => {
  const counts = new Map<string, number>();
  const callsOf = (name: string) => counts.get(name) ?? 0;
  await using server = await startFakeProvider((response, request, body) => {
    const name = (body as { model: string }).model.replace('-at-provider', '');
    counts.set(name, callsOf(name) + 1);
    const one = numbered.find(({ id }) => name === `${id}-a`);
    const isFault = one !== undefined && (one.setting !== 'alone, once' || callsOf(name) === 1);
    return (isFault ? one.fault.reply : whole)(response, request, body);
  });
  await using stack = new AsyncDisposableStack();
  const quick: (() => Promise<void>)[] = [];
  const slow: (() => Promise<void>)[] = [];
  for (const group of groups) {
    const gateway = stack.use(
      await startTestGateway({
        models: group.flatMap((one) => modelsFor(server.url, one)),
        routes: group.filter(hasOther).map(({ id }) => ({ name: id, models: [`${id}-a`, `${id}-b`] })),
        maxAttempts,
        breaker: { failures: 1000 },
      }),
    );
    for (const one of group) {
      (one.fault.isSlow ? slow : quick).push(async () => {
        const model = hasOther(one) ? one.id : `${one.id}-a`;
        const startedAt = performance.now();
        const asked = gateway.ask({ model, midStreamPolicy: one.policy, requestId: one.id });
        const [result] = await Promise.allSettled([asked]);
        met.set(one.id, {
          responses: result.status === 'fulfilled' ? result.value : undefined,
          error: result.status === 'rejected' ? ConnectError.from(result.reason) : undefined,
          tookMs: performance.now() - startedAt,
          attempts: [callsOf(`${one.id}-a`), callsOf(`${one.id}-b`)],
        });
      });
    }
  }
  const lane = async () => {
    for (let next = quick.shift(); next !== undefined; next = quick.shift()) await next();
  };
  await Promise.all(Array.from({ length: 12 }, lane));
  // These wait for clocks, which a busy machine must not run out before a request is even sent.
  await Promise.all(slow.map((meet) => meet()));
});

test.each(numbered)('$title', ({ id, fault, policy, setting }) => {
  const want = expected(fault, policy, setting);
  const { responses, error, tookMs, attempts } = met.get(id) as Met;
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
  if (setting === 'alone, once' && want.attempts[0] > 1) expect(tookMs).toBeGreaterThanOrEqual(fault.floorMs ?? 120);
  expect(tookMs).toBeLessThan(ceilingMs);
});
