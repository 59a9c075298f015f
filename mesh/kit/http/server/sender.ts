import { cancelled, deadlineExceeded } from '../../base/errors.ts';
import type { HttpLimits } from './limits.ts';
import type { NodeResponse } from './port.ts';

/** Writes the body of a response. */
export interface Sender {
  /**
   * Adds bytes. Returns a promise if the client is behind: wait for it before the next bytes. It rejects if the client
   * has left, or has read nothing for too long; the connection is cut then.
   */
  send(bytes: Uint8Array): Promise<void> | undefined;
  /** Ends the body. Resolves when its last bytes have been handed to the connection. */
  end(): Promise<void>;
}

/**
 * Creates a sender that gathers bytes which are ready at the same time: they are written once nothing more can be done
 * without waiting for the outside, so several messages of a stream leave in one write, and none waits for a timer. What is
 * gathered is bounded by `maxGatheredBytes` and one more piece.
 */
export function createSender(response: NodeResponse, limits: HttpLimits): Sender {
  let gathered: Uint8Array[] = [];
  let sizeBytes = 0;
  let scheduled = false;
  // Set while the client is behind; resolves when it has caught up.
  let drained: Promise<void> | undefined;
  let ended = false;

  const take = () => {
    const bytes = gathered.length === 1 ? gathered[0] : Buffer.concat(gathered, sizeBytes);
    gathered = [];
    sizeBytes = 0;
    return bytes as Uint8Array;
  };
  const flush = () => {
    if (sizeBytes === 0 || ended || drained !== undefined || isGone(response)) return;
    if (response.write(take())) return;
    drained = untilDrained(response, limits.stallTimeoutMs).then(() => {
      drained = undefined;
      flush();
    });
    // The next send reports a failure; there may be none.
    drained.catch(() => {});
  };
  // Called from a microtask, as every step of an async function is, nextTick runs when the queue of microtasks is empty.
  const flushSoon = () => {
    scheduled = false;
    flush();
  };
  return {
    send(bytes) {
      if (isGone(response)) return Promise.reject(cancelled());
      gathered.push(bytes);
      sizeBytes += bytes.length;
      if (drained !== undefined) return drained;
      if (sizeBytes >= limits.maxGatheredBytes) {
        flush();
        return drained;
      }
      if (!scheduled) {
        scheduled = true;
        process.nextTick(flushSoon);
      }
      return undefined;
    },
    async end() {
      if (isGone(response)) throw cancelled();
      ended = true;
      const last = sizeBytes > 0 ? take() : undefined;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          cut(response);
          reject(deadlineExceeded('the client read nothing for too long'));
        }, limits.stallTimeoutMs);
        const settle = () => {
          clearTimeout(timer);
          resolve();
        };
        // Over HTTP/2 the response finishes only after the request is read as well; its stream does not wait for that.
        const sink = response.stream ?? response;
        sink.once('finish', settle);
        sink.once('close', settle);
        if (last === undefined) response.end();
        else response.end(last);
      });
    },
  };
}

/** Reports whether nothing can be sent to the client any more. */
export function isGone(response: NodeResponse): boolean {
  return (response.stream ?? response).destroyed;
}

/** Ends a response so that the client sees it is not whole. */
export function cut(response: NodeResponse): void {
  if (isGone(response)) return;
  if (response.stream) response.stream.close(internalErrorCode);
  else response.destroy();
}

/** NGHTTP2_INTERNAL_ERROR. */
const internalErrorCode = 2;

function untilDrained(response: NodeResponse, stallTimeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      clearTimeout(timer);
      response.off('drain', onDrain);
      response.off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onDrain = () => settle();
    const onClose = () => settle(cancelled());
    const timer = setTimeout(() => {
      cut(response);
      settle(deadlineExceeded('the client read nothing for too long'));
    }, stallTimeoutMs);
    response.on('drain', onDrain);
    response.on('close', onClose);
  });
}
