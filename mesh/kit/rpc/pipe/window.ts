import { windowBytes } from './wire.ts';

/** Returns what a message counts in a window: its bytes, and a share for its bookkeeping. */
export function costOf({ length }: Uint8Array): number {
  return length + 256;
}

/** What a sender of messages may still send before its peer has consumed some. */
export interface SendWindow {
  /** Counts a message that was sent. */
  sent(message: Uint8Array): void;
  /** Adds the cost of what the peer has consumed. */
  credit(cost: number): void;
  /** Resolves when there is room; `undefined` if there is some now. */
  readonly blocked: Promise<void> | undefined;
  /** Ends every wait: the call is over. */
  close(): void;
}

/** Creates a full window. */
export function createSendWindow(): SendWindow {
  let leftBytes = windowBytes;
  let isClosed = false;
  let waiting: PromiseWithResolvers<void> | undefined;
  const release = () => {
    waiting?.resolve();
    waiting = undefined;
  };
  return {
    sent(message) {
      leftBytes -= costOf(message);
    },
    credit(cost) {
      leftBytes += cost;
      if (leftBytes > 0) release();
    },
    get blocked() {
      if (leftBytes > 0 || isClosed) return undefined;
      waiting ??= Promise.withResolvers<void>();
      return waiting.promise;
    },
    close() {
      isClosed = true;
      release();
    },
  };
}

/** Creates the counterpart: returns a function that counts consumed messages and calls `grant` when their cost is worth a frame. */
export function createConsumed(grant: (cost: number) => void): (message: Uint8Array) => void {
  let consumedBytes = 0;
  return (message) => {
    consumedBytes += costOf(message);
    if (consumedBytes < windowBytes / 2) return;
    grant(consumedBytes);
    consumedBytes = 0;
  };
}
