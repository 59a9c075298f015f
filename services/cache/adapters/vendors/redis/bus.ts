import type { Logger } from '#kit/base/log.ts';
import type { RedisListener } from '#kit/storage/redis.ts';
import type { InvalidateTarget } from '../../../answers/answer-store.ts';

/** A notification of one replica to the others. */
export interface Notification {
  /** The replica that sent it. */
  origin: string;
  /** Its number among the notifications of that replica, for acknowledgements. */
  id: string;
  tenant: string;
  target: InvalidateTarget;
}

/** Notifies replicas of removed answers and waits for their acknowledgements. */
export interface Bus {
  /** The channel that every replica listens to. */
  readonly channel: string;
  /**
   * Notifies the replicas. `send` publishes the message on the channel and returns how many replicas received it, this one included.
   * Resolves when all have acknowledged, or after a second.
   */
  notify(tenant: string, target: InvalidateTarget, send: (message: string) => Promise<number>): Promise<void>;
}

/** Longest wait for acknowledgements, in milliseconds: a replica that does not answer in time has died, or serves no requests. */
const acknowledgeTimeoutMs = 1000;

/** Joins the bus. `onMessage` must have done its work when it returns. */
export async function joinBus(
  listener: RedisListener,
  parts: {
    keyPrefix: string;
    origin: string;
    publish: (channel: string, message: string) => Promise<unknown>;
    onMessage: (notification: Notification) => void;
    log: Logger;
  },
): Promise<Bus> {
  const { keyPrefix, origin, publish, onMessage, log } = parts;
  const channel = `${keyPrefix}invalidated`;
  const answersTo = (replica: string) => `${keyPrefix}heard:${replica}`;
  const answers = new Map<string, { count: number; check: () => void }>();
  let idCount = 0;

  await listener.subscribe(channel, (text) => {
    const notification = read(text);
    if (notification === undefined || notification.origin === origin) return;
    onMessage(notification);
    publish(answersTo(notification.origin), notification.id).catch((error: unknown) =>
      log.debug({ event: 'cache_acknowledge_failed', err: error }, 'acknowledgement failed'),
    );
  });
  await listener.subscribe(answersTo(origin), (id) => {
    const waiting = answers.get(id);
    if (waiting === undefined) return;
    waiting.count++;
    waiting.check();
  });

  return {
    channel,
    async notify(tenant, target, send) {
      const id = String(++idCount);
      const waiting = { count: 0, check: () => {} };
      answers.set(id, waiting);
      try {
        const notification: Notification = { origin, id, tenant, target };
        const others = (await send(JSON.stringify(notification))) - 1;
        if (waiting.count >= others) return;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(() => {
            log.warn(
              { event: 'cache_invalidation_unacknowledged', acknowledged: waiting.count, replicas: others },
              'replicas did not acknowledge',
            );
            resolve();
          }, acknowledgeTimeoutMs);
          const check = () => {
            if (waiting.count < others) return;
            clearTimeout(timer);
            resolve();
          };
          waiting.check = check;
        });
      } finally {
        answers.delete(id);
      }
    },
  };
}

function read(text: string): Notification | undefined {
  try {
    return JSON.parse(text) as Notification;
  } catch {
    // Not a message of a replica.
    return undefined;
  }
}
