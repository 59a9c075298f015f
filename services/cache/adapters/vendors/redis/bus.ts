import type { Logger } from '#kit/base/log.ts';
import type { RedisListener } from '#kit/storage/redis.ts';
import type { InvalidateTarget } from '../../../answers/answer-store.ts';

/** What a replica tells the others. */
export interface Told {
  /** The replica. */
  origin: string;
  /** Which of its messages, for their answers. */
  id: string;
  tenant: string;
  target: InvalidateTarget;
}

/** Tells replicas of removed answers, and knows when they have heard. */
export interface Bus {
  /** The channel that every replica hears. */
  readonly channel: string;
  /**
   * Tells the replicas. `send` publishes the message on the channel, and resolves to how many were told, this one included. Resolves once
   * they have heard, or after a while.
   */
  tell(tenant: string, target: InvalidateTarget, send: (message: string) => Promise<number>): Promise<void>;
}

/** Longest wait for other replicas, in milliseconds: one that does not answer in time has died, or serves nobody. */
const hearTimeoutMs = 1000;

/** Joins the bus. `onTold` must have done its work when it returns. */
export async function joinBus(
  listener: RedisListener,
  parts: {
    keyPrefix: string;
    origin: string;
    publish: (channel: string, message: string) => Promise<unknown>;
    onTold: (told: Told) => void;
    log: Logger;
  },
): Promise<Bus> {
  const { keyPrefix, origin, publish, onTold, log } = parts;
  const channel = `${keyPrefix}invalidated`;
  const answersTo = (replica: string) => `${keyPrefix}heard:${replica}`;
  const answers = new Map<string, { count: number; check: () => void }>();
  let idCount = 0;

  await listener.subscribe(channel, (text) => {
    const told = read(text);
    if (told === undefined || told.origin === origin) return;
    onTold(told);
    publish(answersTo(told.origin), told.id).catch((error: unknown) => log.debug({ err: error }, 'redis bus'));
  });
  await listener.subscribe(answersTo(origin), (id) => {
    const waiting = answers.get(id);
    if (waiting === undefined) return;
    waiting.count++;
    waiting.check();
  });

  return {
    channel,
    async tell(tenant, target, send) {
      const id = String(++idCount);
      const waiting = { count: 0, check: () => {} };
      answers.set(id, waiting);
      try {
        const told: Told = { origin, id, tenant, target };
        const others = (await send(JSON.stringify(told))) - 1;
        if (waiting.count >= others) return;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(() => {
            log.warn({ heard: waiting.count, told: others }, 'not every replica has answered');
            resolve();
          }, hearTimeoutMs);
          waiting.check = () => {
            if (waiting.count < others) return;
            clearTimeout(timer);
            resolve();
          };
        });
      } finally {
        answers.delete(id);
      }
    },
  };
}

function read(text: string): Told | undefined {
  try {
    return JSON.parse(text) as Told;
  } catch {
    // Nothing that a replica has sent.
    return undefined;
  }
}
