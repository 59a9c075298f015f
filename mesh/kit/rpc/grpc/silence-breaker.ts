import { Code } from '@connectrpc/connect';
import type { StatusObject } from '@grpc/grpc-js';
import { unavailable } from '../../base/errors.ts';

/**
 * Ends calls immediately to a process that does not reply, so that a hung process costs a few calls their deadline and not every one. A call
 * is silent if it ended before anything came, headers included, after it had waited for a while, or because no connection was made.
 * Anything that comes, on whatever call, ends the state.
 */
export interface SilenceBreaker {
  /** Begins to watch a call. Throws UNAVAILABLE if the process does not reply, and it is not yet time to try again. */
  watch(): WatchedCall;
}

/** A call that says whether the process replies. */
export interface WatchedCall {
  /** Something came. */
  heard(): void;
  /** The call has ended; `status`: as grpc-js reports it, `undefined` if the caller has left. */
  ended(status?: StatusObject): void;
}

/** Silent calls in a row that open the breaker. */
const maxSilent = 5;
/** A call that waited for less says nothing of the process: its caller was in a hurry, or left. */
const leastWaitMs = 200;
/** Time until one call may try again. */
const openMs = 1000;

/**
 * Creates a breaker. Calls `onChange` when it opens and when it closes. `isConnected`: whether some process can be reached; the calls of one
 * replica that ended say nothing of the others.
 */
export function createSilenceBreaker(
  onChange: (isOpen: boolean) => void,
  isConnected: () => boolean,
  clock: () => number = () => performance.now(),
): SilenceBreaker {
  let silentCount = 0;
  /** Time from which one call may try again; `undefined`: the breaker is closed. */
  let nextTryMs: number | undefined;
  const sign = () => {
    silentCount = 0;
    if (nextTryMs === undefined) return;
    nextTryMs = undefined;
    onChange(false);
  };
  const silent = () => {
    silentCount++;
    if (silentCount < maxSilent) return;
    const wasClosed = nextTryMs === undefined;
    nextTryMs = clock() + openMs;
    if (wasClosed) onChange(true);
  };
  return {
    watch() {
      const now = clock();
      if (nextTryMs !== undefined) {
        if (now < nextTryMs) throw unavailable('service', 'the service does not reply: it is tried again in a second');
        // This call tries, and the others wait for its outcome as long as they did before.
        nextTryMs = now + openMs;
      }
      let isHeard = false;
      const heard = () => {
        if (!isHeard) sign();
        isHeard = true;
      };
      return {
        heard,
        ended(status) {
          if (isHeard) return;
          if (status !== undefined && isFromServer(status)) return heard();
          const isRefused = (status?.code as number | undefined) === Code.Unavailable;
          if (isRefused ? !isConnected() : clock() - now >= leastWaitMs) silent();
        },
      };
    },
  };
}

/** Statuses that grpc-js itself ends a call with. */
const ownCodes: ReadonlySet<number> = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Canceled]);

// A status of the process has metadata, the details of its error among them.
function isFromServer({ code, metadata }: StatusObject): boolean {
  return !ownCodes.has(code) || Object.keys(metadata.getMap()).length > 0;
}

/** Of calls whose end says nothing, such as uploads: the reply comes at their end, and a caller may leave at any time before. */
export const unwatched: WatchedCall = { heard() {}, ended() {} };
