import { freePort } from '#kit/testing/server.ts';
import { clockMs, type Fault, faults, whole } from './faults.ts';
import { cutAfter, doneMark, finish, startFakeProvider, streamed } from './provider-server.ts';

// The faults of `faults.ts` as cases of a matrix, and the provider that has them.

/** The time of a request whose caller sets none, in milliseconds: a longer wait is not begun. */
const requestMs = 120_000;

/** Who is there beside the target that has the fault, and how long it has it. */
export type Setting = 'with another target' | 'alone, once' | 'alone, always';

/** Every setting. */
export const settings: readonly Setting[] = ['with another target', 'alone, once', 'alone, always'];

/** A fault in a setting. */
export interface FaultCase {
  /** Its name, which is in the prompt of its request: `promptOf`. */
  id: string;
  fault: Fault;
  setting: Setting;
}

/** Whether a setting says something of a fault. */
export function isTold({ reply, other }: Fault, setting: Setting): boolean {
  if (other !== undefined) return setting === 'with another target';
  // Who is not there cannot come back for the second attempt.
  return reply !== undefined || setting !== 'alone, once';
}

/** Whether a case waits for a clock or a backoff: a busy machine distorts its times. */
export function isWaiting({ fault: { clock, floorMs } }: Unnamed): boolean {
  return clock !== undefined || floorMs !== undefined;
}

/** Whether the wait that the fault asks for fits the time of a request. */
export function waitFits({ floorMs = 0 }: Fault): boolean {
  return floorMs < requestMs;
}

/** The question of a case. */
export const promptOf = (id: string) => `case ${id}: how long does a refund to a credit card take?`;

/** Whether a request asks the target that has the fault once more before it asks another one. */
export function stays({ floorMs = Infinity, isUnexplained = false }: Fault): boolean {
  return isUnexplained || floorMs < stayMs;
}

/** Longest wait of a request that stays, in milliseconds: above what faults ask for that can be waited for. */
export const stayMs = 5000;

/** Attempts at the target that has the fault, and at the other one. */
export type Attempts = [number, number];

/** A case, but for its name. */
type Unnamed = Omit<FaultCase, 'id'>;

/**
 * The pauses of a case between attempts at the target that has the fault, in milliseconds: what the fault asks for, and of the gateway's
 * own what chance cannot take away.
 */
export function pausesOf({ fault }: Unnamed, [first]: Attempts): number[] {
  return Array.from({ length: first - 1 }, (_, index) => (fault.floorMs ?? 0) + 125 * 2 ** index);
}

/** The time that a case takes at least, in milliseconds: clocks that run out, and pauses. */
export function leastMs(one: Unnamed, attempts: Attempts): number {
  const failedCount = one.setting === 'alone, once' ? 1 : attempts[0];
  const waitMs = one.fault.clock === undefined ? 0 : clockMs;
  return failedCount * waitMs + pausesOf(one, attempts).reduce((sum, pauseMs) => sum + pauseMs, 0);
}

/** What comes on top of the least on a busy machine, in milliseconds; any clock that is not the fault's own is longer. */
export const slackMs = 8000;

/** Attempts of a case that its provider wants money for, and what is charged for the first target's. */
export function chargedOf({ fault, setting }: Unnamed, [first, second]: Attempts) {
  const isCured = setting === 'alone, once' && first > 1;
  const faulty = fault.charge === 'nothing' ? 0 : isCured ? 1 : first;
  // The other one is asked last, and answers; a prompt that it rejects costs nothing.
  return { faulty, whole: (isCured ? 1 : 0) + Math.min(1, second) };
}

/** A provider on loopback that has the fault of the case that it is asked in. */
export interface FaultyProvider extends AsyncDisposable {
  /** `base_url` of the target that has the fault, and of the one beside it. */
  urlOf(fault: Fault): string;
  otherUrl: string;
  /** Requests of a case that reached it. */
  attemptsOf(id: string): Attempts;
  /** Time between those at the target that has the fault, in milliseconds. */
  gapsOf(id: string): number[];
  /** Resolves when the first request of a case has reached it. */
  reached(id: string): Promise<void>;
}

/** Suffix of the names of models at the other target. */
export const otherSuffix = '-b';

/** Starts it. Models of the targets beside those that have a fault have names at the provider that end in `otherSuffix`. */
export async function startFaultyProvider(cases: readonly FaultCase[]): Promise<FaultyProvider> {
  const byId = new Map(
    cases.map((one) => {
      const times: number[] = [];
      return [one.id, { ...one, attempts: [0, 0] as Attempts, times, first: Promise.withResolvers<void>() }] as const;
    }),
  );
  const server = await startFakeProvider((response, request, body) => {
    const { model, messages } = body as { model: string; messages: { content: string }[] };
    const id = /^case (\w+):/.exec(messages[0]?.content ?? '')?.[1] ?? '';
    const met = byId.get(id);
    if (met === undefined) throw new Error(`no case "${id}"`);
    const isOther = model.endsWith(otherSuffix);
    const count = ++met.attempts[isOther ? 1 : 0];
    met.first.resolve();
    if (!isOther) met.times.push(performance.now());
    const isFaulty = !isOther && (met.setting !== 'alone, once' || count === 1);
    const reply = isOther ? (met.fault.other ?? whole) : isFaulty ? met.fault.reply : whole;
    return reply?.(response, request, body);
  });
  const closed = `http://127.0.0.1:${await freePort()}/v1`;
  return {
    urlOf: ({ reply }) => (reply === undefined ? closed : server.url),
    otherUrl: server.url,
    attemptsOf: (id) => [...(byId.get(id)?.attempts ?? [0, 0])],
    reached: async (id) => byId.get(id)?.first.promise,
    gapsOf(id) {
      const times = byId.get(id)?.times ?? [];
      return times.slice(1).map((time, index) => time - (times[index] as number));
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/**
 * Runs cases that wait concurrently, but each begins when the one before has reached the provider: on a busy machine, clocks
 * must not run out before a request is even sent.
 */
export async function meetWaiting<Case extends FaultCase>(
  cases: readonly Case[],
  provider: FaultyProvider,
  meet: (one: Case) => Promise<void>,
): Promise<void> {
  const under: Promise<void>[] = [];
  for (const one of cases) {
    const met = meet(one);
    under.push(met);
    await Promise.race([provider.reached(one.id), met]);
  }
  await Promise.all(under);
}

/** A provider that is well and ill by turns, and begins well; models whose names end in `otherSuffix` are always well. */
export interface FlappingProvider extends AsyncDisposable {
  url: string;
  setWell(isWell: boolean): void;
  /** Requests that it met well, those that it met ill, and those for the models that are always well. */
  count: { well: number; ill: number; other: number };
}

/** Starts it; ill, it has the fault of that name. */
export async function startFlappingProvider(name: string): Promise<FlappingProvider> {
  const illness = faults.find((fault) => fault.name === name)?.reply;
  if (illness === undefined) throw new Error(`no fault "${name}" of a provider that is there`);
  const count = { well: 0, ill: 0, other: 0 };
  let isWell = true;
  const server = await startFakeProvider((response, request, body) => {
    const isOther = (body as { model: string }).model.endsWith(otherSuffix);
    count[isOther ? 'other' : isWell ? 'well' : 'ill'] += 1;
    return (isOther || isWell ? whole : illness)(response, request, body);
  });
  return {
    url: server.url,
    setWell(next) {
      isWell = next;
    },
    count,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The call of a tool that a model makes, in two pieces. */
export const callPieces = ['{"city":', '"Oslo"}'] as const;

/** Starts a provider that calls the tool "weather"; the first stream of each question ends between the two pieces. */
export async function startBreakingCaller(end: 'cut' | 'without an end'): Promise<AsyncDisposable & { url: string }> {
  const asked = new Set<string>();
  const piece = (call: object) => ({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...call }] } }] });
  const first = piece({ id: 'call_1', type: 'function', function: { name: 'weather', arguments: callPieces[0] } });
  const second = piece({ function: { arguments: callPieces[1] } });
  const broken = end === 'cut' ? cutAfter([first]) : streamed([first, doneMark]);
  const called = streamed([first, second, finish('tool_calls'), doneMark]);
  return startFakeProvider((response, request, body) => {
    const question = (body as { messages: { content: string }[] }).messages[0]?.content ?? '';
    const reply = asked.has(question) ? called : broken;
    asked.add(question);
    return reply(response, request, body);
  });
}
