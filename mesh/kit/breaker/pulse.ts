import { circuitOpen } from '../base/errors.ts';
import { within } from '../base/within.ts';

/**
 * Finds out that a dependency hangs whose calls may rightly take long, such as a database: silence alone proves nothing there. If calls wait
 * and nothing has come for a while, the pulse asks for a sign of life; without one, new calls end immediately until there is one. The pulse
 * asks in the background, so no caller pays for an attempt.
 */
export interface Pulse {
  /** Throws UNAVAILABLE with RetryInfo while the dependency gives no sign of life. */
  check(): void;
  /** Runs a call. Its result is a sign of life, and an error if `isSign` says so. */
  watch<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** Longest silence while calls wait, and longest wait for the sign of life, in milliseconds. */
const silenceMs = 1000;

/**
 * Creates a pulse. `ask`: resolves or rejects with a sign of life or the lack of one; rejections are judged by `isSign`. Calls `onChange` with
 * whether the circuit is open.
 */
export function createPulse(
  name: string,
  ask: () => Promise<unknown>,
  isSign: (error: unknown) => boolean,
  onChange: (isOpen: boolean) => void,
): Pulse {
  let waitingCount = 0;
  let quietSinceMs = 0;
  let isOpen = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  const heard = () => {
    quietSinceMs = performance.now();
    if (!isOpen) return;
    isOpen = false;
    onChange(false);
  };
  const plan = () => {
    if (isClosed || timer !== undefined || (waitingCount === 0 && !isOpen)) return;
    timer = setTimeout(beat, silenceMs);
    timer.unref();
  };
  const beat = async () => {
    if (isOpen || (waitingCount > 0 && performance.now() - quietSinceMs >= silenceMs)) {
      const isAlive = await within(ask, { timeoutMs: silenceMs }).then(() => true, isSign);
      if (isAlive) heard();
      else if (!isOpen && !isClosed && performance.now() - quietSinceMs >= silenceMs) {
        isOpen = true;
        onChange(true);
      }
    }
    timer = undefined;
    plan();
  };
  return {
    check() {
      if (isOpen) throw circuitOpen(name, silenceMs);
    },
    async watch(work) {
      if (waitingCount++ === 0) quietSinceMs = performance.now();
      plan();
      try {
        const result = await work();
        heard();
        return result;
      } catch (error) {
        if (isSign(error)) heard();
        throw error;
      } finally {
        waitingCount--;
      }
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
