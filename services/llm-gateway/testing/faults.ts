import { Code } from '@connectrpc/connect';
import { stretched } from '#kit/testing/time.ts';
import {
  content,
  cutAfter,
  doneMark,
  failed,
  finish,
  inOnePiece,
  type Responder,
  silence,
  streamed,
  usage,
} from './provider-server.ts';

// What can go wrong at a provider, for the matrices of faults: at the gateway's rpc, and at the face of the edge.

/** What a fault does to an attempt. */
export type Effect =
  /** It fails before its first word, and another try may help. */
  | 'before'
  /** It always fails before its first word. */
  | 'refused'
  /** It fails after its first word, with an error. */
  | 'broken'
  /** Its stream ends after its first word, without an error. */
  | 'truncated'
  /** The model's own result: a filter stopped it. */
  | 'filtered'
  /** The model's own result: it may write no more. */
  | 'length'
  /** The caller's fault. */
  | 'fault';

/** What a provider wants money for: nothing, the prompt, or the prompt and the part of an answer. */
export type Charge = 'nothing' | 'prompt' | 'part';

/** Something that goes wrong. */
export interface Fault {
  name: string;
  /** What the provider does; `undefined`: no server has its address. */
  reply: Responder | undefined;
  effect: Effect;
  charge: Charge;
  /** The error for the caller if nothing was sent and no target remains. */
  code?: Code;
  /** The shortest wait before the same target is asked again, in milliseconds. */
  floorMs?: number;
  /** A first failure without any reason: the same target is asked once more. */
  isUnexplained?: boolean;
  /** The timeout of the target that expires, after `clockMs`; the others have their defaults. */
  clock?: 'headersMs' | 'firstTokenMs' | 'idleMs';
  /** What the other target does, if it does not answer. */
  other?: Responder;
}

/** The part of an answer that comes before a fault. */
export const half = 'half ';
/** The answer of a provider that is well. */
export const wholeText = 'whole';
/** What a provider that is well counts. */
export const wholeUsage = { promptTokens: 10, completionTokens: 2 };
/** Attempts that a request may have. */
export const maxAttempts = 3;
/** The timeout of a target that is too slow, in milliseconds. On a busy machine it is longer, so that a good answer is in time. */
export const clockMs = Math.ceil(Math.min(4000, stretched(400)));
/** Returns the timeouts of the target that has the fault. */
export const timeoutsOf = ({ clock }: Fault) => (clock === undefined ? {} : { timeouts: { [clock]: clockMs } });
const head = [content(half)];
/** A provider that is well. */
export const whole: Responder = streamed([
  content(wholeText),
  finish('stop'),
  usage(wholeUsage.promptTokens, wholeUsage.completionTokens),
  doneMark,
]);
const rateLimited = (headers: Record<string, string>, message?: string) =>
  failed(429, { code: 'rate_limit_exceeded', ...(message === undefined ? {} : { message }) }, headers);
const atDate = rateLimited({ date: 'Tue, 01 Dec 2026 12:00:00 GMT', 'retry-after': 'Tue, 01 Dec 2026 12:00:01 GMT' });
const atReset = rateLimited({ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1s' });
const quota = { effect: 'refused', charge: 'nothing', code: Code.FailedPrecondition } as const;
const rejectsPrefill: Responder = (response, request, body) => {
  const last = (body as { messages: { role: string }[] }).messages.at(-1);
  return (last?.role === 'assistant' ? failed(400, { message: 'no prefill' }) : whole)(response, request, body);
};

/** Faults with an error or no response: they are not charged. */
const withoutAnswer: Omit<Fault, 'effect' | 'charge'>[] = [
  { name: '429 with seconds', reply: rateLimited({ 'retry-after': '1' }), floorMs: 1000 },
  { name: '429 with a fraction of a second', reply: rateLimited({ 'retry-after': '0.9' }), floorMs: 900 },
  { name: '429 with milliseconds', reply: rateLimited({ 'retry-after-ms': '300' }), floorMs: 300 },
  {
    name: '429 with milliseconds as Azure has them',
    reply: rateLimited({ 'x-ms-retry-after-ms': '1000' }),
    floorMs: 1000,
  },
  { name: '429 with an HTTP date', reply: atDate, floorMs: 1000 },
  { name: '429 with the reset of a limit', reply: atReset, floorMs: 1000 },
  { name: '429 with a wait in its text', reply: rateLimited({}, 'Please try again in 1s.'), floorMs: 1000 },
  { name: '429 with a wait beyond the time there is', reply: rateLimited({ 'retry-after': '600' }), floorMs: 600_000 },
  { name: '429 with nothing', reply: rateLimited({}) },
  { name: '500', reply: failed(500, { message: 'boom' }), isUnexplained: true },
  { name: '529', reply: failed(529, { type: 'overloaded_error' }) },
  { name: 'a refused connection', reply: undefined },
  { name: 'a connection cut before the head', reply: (response) => response.destroy() },
];

/** Every fault. */
export const faults: readonly Fault[] = [
  ...withoutAnswer.map((fault): Fault => ({ ...fault, effect: 'before', charge: 'nothing' })),
  {
    name: 'a slow head',
    reply: silence,
    clock: 'headersMs',
    effect: 'before',
    charge: 'prompt',
  },
  {
    name: 'a slow first token',
    reply: streamed([{ choices: [{ delta: { role: 'assistant' } }] }], true),
    clock: 'firstTokenMs',
    effect: 'before',
    charge: 'prompt',
  },
  { name: 'a terminator alone', reply: streamed([doneMark]), effect: 'before', charge: 'prompt' },
  {
    name: 'a malformed first event',
    reply: streamed(['data: {"choices":\n\n']),
    effect: 'before',
    charge: 'prompt',
  },
  {
    name: 'an error in a 200 before the first word',
    reply: streamed([{ error: { message: 'x' } }, doneMark]),
    effect: 'before',
    charge: 'prompt',
  },
  {
    name: 'a reply in one piece without an end',
    reply: inOnePiece({ choices: [{ message: { content: null } }] }),
    effect: 'before',
    charge: 'prompt',
  },
  { name: '429 for quota', reply: failed(429, { code: 'insufficient_quota' }), ...quota },
  { name: '402', reply: failed(402, {}), ...quota },
  { name: '401', reply: failed(401, { code: 'invalid_api_key' }), ...quota },
  { name: 'a stall', reply: streamed(head, true), clock: 'idleMs', effect: 'broken', charge: 'part' },
  { name: 'a cut', reply: cutAfter(head), effect: 'broken', charge: 'part' },
  {
    name: 'a cut, and a fallback that rejects prefill',
    reply: cutAfter(head),
    other: rejectsPrefill,
    effect: 'broken',
    charge: 'part',
  },
  { name: 'a malformed event', reply: streamed([...head, 'data: {"choices":\n\n']), effect: 'broken', charge: 'part' },
  {
    name: 'an error in a 200',
    reply: streamed([...head, { error: { message: 'x' } }, doneMark]),
    effect: 'broken',
    charge: 'part',
  },
  { name: 'a missing end', reply: streamed([...head, doneMark]), effect: 'truncated', charge: 'part' },
  {
    name: 'an aborted end',
    reply: streamed([...head, finish('abort'), doneMark]),
    effect: 'truncated',
    charge: 'part',
  },
  {
    name: 'a filter before the answer',
    reply: failed(400, { code: 'content_filter' }),
    effect: 'filtered',
    // Azure charges for a prompt that its filter has read.
    charge: 'prompt',
  },
  {
    name: 'a filter in the answer',
    reply: streamed([...head, finish('content_filter'), doneMark]),
    effect: 'filtered',
    charge: 'part',
  },
  {
    name: 'an answer at its longest',
    reply: streamed([...head, finish('length'), doneMark]),
    effect: 'length',
    charge: 'part',
  },
  {
    name: 'a request that is at fault',
    reply: failed(400, { message: 'bad' }),
    effect: 'fault',
    charge: 'nothing',
    code: Code.InvalidArgument,
  },
];
