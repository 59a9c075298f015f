import type { CallOptions } from '@connectrpc/connect';
import { sleep } from '#kit/base/streams.ts';
import { answerEvents, type CacheClient, type Event, type Scope, scopeOf } from './cache.ts';

// A caller of the cache for tests, as chat is one: it shows what it receives, and generates if it receives a lease.

/** What a caller has seen. */
export interface Asked {
  /** What is shown in the end. */
  text: string;
  /** Whether the end came. */
  isWhole: boolean;
  /** Resets that were shown. */
  resetCount: number;
  /** When the first text was shown, in milliseconds of performance.now(). */
  firstTextAt: number;
  /** Whether this caller generated. */
  hasLed: boolean;
}

/** How a caller generates. */
export interface Generating {
  /** The answer; each character is an event. */
  answer: string;
  /** Pause after each, in milliseconds. */
  pauseMs: number;
  /** Called when a generation begins, and after each piece of it. */
  onBegin(): void;
  onPiece?(count: number): void;
}

/** Asks; resolves when the answer has ended. */
export async function ask(
  client: CacheClient,
  options: CallOptions,
  question: string,
  generating: Generating,
  scope: Scope = scopeOf(),
): Promise<Asked> {
  const asked: Asked = { text: '', isWhole: false, resetCount: 0, firstTextAt: 0, hasLed: false };
  const show = (answer: Event) => {
    const event = answer.event;
    if (event?.case === 'textDelta') {
      asked.firstTextAt ||= performance.now();
      asked.text += event.value.text ?? '';
    } else if (event?.case === 'reset') {
      asked.resetCount++;
      asked.text = '';
    } else if (event?.case === 'done') asked.isWhole = true;
  };
  let leaseId: string | undefined;
  for await (const { event } of client.lookup({ question, scope }, options)) {
    if (event.case === 'hit') event.value.events.forEach(show);
    if (event.case === 'answer') show(event.value);
    if (event.case === 'lease') leaseId = event.value.leaseId;
  }
  if (leaseId === undefined) return asked;
  asked.hasLed = true;
  asked.text = '';
  generating.onBegin();
  const lease = leaseId;
  async function* parts() {
    yield { part: { case: 'start', value: { leaseId: lease } } };
    let count = 0;
    for (const event of answerEvents(generating.answer)) {
      show(event);
      yield { part: { case: 'answer', value: event } };
      generating.onPiece?.(++count);
      if (generating.pauseMs > 0) await sleep(generating.pauseMs);
    }
    yield { part: { case: 'commit', value: {} } };
  }
  await client.fill(parts() as never, options);
  return asked;
}
