import { cancelled, deadlineExceeded } from '../../base/errors.ts';
import type { NodeRequest } from './port.ts';

/** How long a body may take. */
export interface BodyTimeouts {
  /** For the whole of it, in milliseconds; `undefined`: no limit. */
  totalMs?: number;
  /** Between two pieces of it, in milliseconds. */
  silenceMs: number;
}

/**
 * Returns the body of a request as it arrives, no faster than it is read. Unlike the request's own iterator, leaving it early
 * does not cut the connection, so that a refusal can still be sent. Throws DEADLINE_EXCEEDED, or CANCELLED if the client
 * has left.
 */
export async function* readBody(
  request: NodeRequest,
  { totalMs, silenceMs }: BodyTimeouts,
): AsyncGenerator<Uint8Array> {
  let wake = () => {};
  const onChange = () => wake();
  const startedAt = performance.now();
  for (const event of changes) request.on(event, onChange);
  try {
    for (;;) {
      const chunk = request.read() as Buffer | null;
      if (chunk !== null) {
        yield chunk;
      } else if (request.readableEnded) {
        return;
      } else if (request.destroyed || request.errored) {
        throw cancelled(request.errored);
      } else {
        const leftMs =
          totalMs === undefined ? silenceMs : Math.min(silenceMs, totalMs - (performance.now() - startedAt));
        let late = leftMs <= 0;
        if (!late) {
          late = await new Promise<boolean>((resolve) => {
            const timer = setTimeout(resolve, leftMs, true);
            wake = () => {
              clearTimeout(timer);
              resolve(false);
            };
          });
        }
        if (late) throw deadlineExceeded('the body of the request did not arrive in time');
      }
    }
  } finally {
    for (const event of changes) request.off(event, onChange);
  }
}

const changes = ['readable', 'end', 'error', 'close'] as const;

/**
 * Discards the rest of a body after its response has been sent. A client may read the response only after it has sent its whole
 * body, so over HTTP/1.1 the rest is read and dropped for `discardTimeoutMs`, and then the connection is cut. Over HTTP/2 the
 * client's window holds the rest back; the stream is closed after the same time, when its trailers have left.
 */
export function discardRest(request: NodeRequest, discardTimeoutMs: number): void {
  if (request.readableEnded || request.destroyed) return;
  const { stream, socket } = request;
  const timer = setTimeout(() => {
    if (stream) stream.close();
    // All of it has come, although no one has read its end: the connection may be serving the next request.
    else if (!request.complete) socket.destroy();
  }, discardTimeoutMs);
  // Closes when all of it was read as well as when the connection is lost.
  request.once('close', () => clearTimeout(timer));
  if (!stream) request.resume();
}
