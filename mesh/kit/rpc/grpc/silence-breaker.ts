import { Code, type ConnectError } from '@connectrpc/connect';
import type { StatusObject } from '@grpc/grpc-js';
import { deadlineExceeded } from '../../base/errors.ts';
import { createBreaker } from '../../breaker/breaker.ts';

/**
 * The kit's breaker for calls to a process: ends them immediately if it does not reply. Anything that comes, headers included and on
 * whatever call, is a reply; a refused connection is a failure.
 */
export interface SilenceBreaker {
  /** Begins to watch a call of a method. Throws UNAVAILABLE if the process does not reply, and it is not yet time to try again. */
  watch(method: string): WatchedCall;
}

/** A call that says whether the process replies. */
export interface WatchedCall {
  /** Longest wait of a probe for the first sign, in milliseconds; `undefined`: its deadline alone. */
  readonly probeMs: number | undefined;
  /** Something came. */
  heard(): void;
  /** The call has ended; `status`: as grpc-js reports it, `undefined` if the caller ended it. `isLate`: because of a deadline. */
  ended(status: StatusObject | undefined, isLate: boolean): void;
}

/**
 * Creates a breaker. Calls `onChange` when it opens and when it closes. `isConnected`: whether some process can be reached; the calls of one
 * replica that ended say nothing of the others.
 */
export function createSilenceBreaker(
  onChange: (isOpen: boolean) => void,
  isConnected: () => boolean,
  clock?: () => number,
): SilenceBreaker {
  let wasOpen = false;
  const breaker = createBreaker(
    'service',
    (state) => {
      const isOpen = state !== 0;
      if (isOpen !== wasOpen) onChange(isOpen);
      wasOpen = isOpen;
    },
    clock,
  );
  return {
    watch(method) {
      const call = breaker.watch(method);
      return {
        probeMs: call.probeMs,
        heard: call.heard,
        ended(status, isLate) {
          if (status !== undefined && isFromServer(status)) return call.heard();
          if ((status?.code as number | undefined) !== Code.Unavailable) return call.ended(isLate);
          if (!isConnected()) call.failed();
        },
      };
    },
  };
}

/** Returns the call with a limit for a probe: calls `cancel` if no sign has come in its time. */
export function limitProbe(call: WatchedCall, cancel: (error: ConnectError) => void): WatchedCall {
  const { probeMs } = call;
  if (probeMs === undefined) return call;
  const timer = setTimeout(
    () => cancel(deadlineExceeded(`no sign of a reply within ${Math.round(probeMs)} ms`)),
    probeMs,
  );
  return {
    probeMs,
    heard() {
      clearTimeout(timer);
      call.heard();
    },
    ended(status, isLate) {
      clearTimeout(timer);
      call.ended(status, isLate);
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
export const unwatched: WatchedCall = { probeMs: undefined, heard() {}, ended() {} };
