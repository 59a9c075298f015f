import type { ChildProcess } from 'node:child_process';
import { deadlineExceeded } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { SampleResult } from '../start/sample.ts';
import type { FromMember, MemberReport, Question, Role, Serving, StartMessage, ToMember } from './messages.ts';

/** A member of the group, as the primary sees it. */
export interface MemberProcess {
  readonly role: Role;
  readonly number: number;
  /** "owner", "worker 1". */
  readonly name: string;
  readonly pid: number | undefined;
  /** Resolves when it serves. Rejects with StartError if it cannot start. */
  readonly serving: Promise<Serving>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  /** Whether it serves now. */
  isServing(): boolean;
  report(): Promise<MemberReport>;
  reconfigure(config: Uint8Array): Promise<void>;
  loadSample(): Promise<SampleResult | undefined>;
  /** Asks it to finish what it does and to exit; kills it after `timeoutMs`. Resolves when it has ended. */
  stop(timeoutMs: number): Promise<void>;
}

/** A member could not start. */
export class StartError extends Error {
  override readonly name = 'StartError';
  /** Whether the message says what to do, and needs no stack. */
  readonly isPlain: boolean;
  constructor(message: string, isPlain: boolean) {
    super(message);
    this.isPlain = isPlain;
  }
}

/** Longest wait for an answer, in milliseconds. */
const reportTimeoutMs = 3000;
const reconfigureTimeoutMs = 30_000;
const sampleTimeoutMs = 150_000;

type Answer = Extract<FromMember, { kind: 'answer' }>['result'];

/** Takes charge of a forked process, and starts a member in it. */
export function createMemberProcess(child: ChildProcess, start: StartMessage): MemberProcess {
  const { role, number } = start;
  const name = role === 'owner' ? 'owner' : `worker ${number}`;
  const serving = Promise.withResolvers<Serving>();
  const ended = Promise.withResolvers<void>();
  const waiting = new Map<number, PromiseWithResolvers<Answer>>();
  let lastId = 0;
  let isServing = false;
  serving.promise.catch(() => {});

  const send = (message: ToMember) => {
    // A process that has just ended cannot be sent to; its end is reported by itself.
    if (child.connected) child.send(message, () => {});
  };
  const ask = async (question: Question, timeoutMs: number): Promise<Answer> => {
    const id = ++lastId;
    const answer = Promise.withResolvers<Answer>();
    waiting.set(id, answer);
    send({ kind: 'ask', id, question });
    const toTimeoutError = () => deadlineExceeded(`${name} did not answer within ${timeoutMs} ms`);
    return within(() => answer.promise, { timeoutMs, toTimeoutError }).finally(() => waiting.delete(id));
  };
  const end = () => {
    isServing = false;
    serving.reject(new StartError(`${name} ended before it served`, true));
    for (const { reject } of waiting.values()) reject(new Error(`${name} has ended`));
    ended.resolve();
  };
  child.on('message', (message: FromMember) => {
    switch (message.kind) {
      case 'serving':
        isServing = true;
        return serving.resolve(message.serving);
      case 'failed':
        return serving.reject(new StartError(message.message, message.isPlain));
      case 'answer':
        return waiting.get(message.id)?.resolve(message.result);
      case 'refusal':
        return waiting.get(message.id)?.reject(new Error(message.problem));
      default:
        return message satisfies never;
    }
  });
  child.once('exit', end);
  child.once('error', end);
  send(start);
  return {
    ...{ role, number, name, pid: child.pid, serving: serving.promise, ended: ended.promise },
    isServing: () => isServing,
    report: async () => (await ask({ is: 'report' }, reportTimeoutMs)) as MemberReport,
    reconfigure: async (config) => void (await ask({ is: 'reconfigure', config }, reconfigureTimeoutMs)),
    loadSample: async () => (await ask({ is: 'load_sample' }, sampleTimeoutMs)) as SampleResult | undefined,
    async stop(timeoutMs) {
      isServing = false;
      send({ kind: 'drain' });
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      await ended.promise;
      clearTimeout(timer);
    },
  };
}
