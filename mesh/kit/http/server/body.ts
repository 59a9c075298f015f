import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { cancelled, deadlineExceeded, rpcError } from '../../base/errors.ts';
import { bodyTurn, freeBytes } from './body-turns.ts';
import type { NodeRequest } from './port.ts';

/** How long a body may take. */
export interface BodyTimeouts {
  /** For the whole of it, in milliseconds; `undefined`: no limit. */
  totalMs?: number;
  /** Between two pieces of it, in milliseconds. */
  silenceMs: number;
}

const owners = new WeakMap<NodeRequest, string>();

/** Says whose a request is, once it is known: large bodies of different owners are read in rotation. @default the address of the caller */
export function setOwner(request: NodeRequest, owner: string): void {
  owners.set(request, owner);
}

/**
 * Returns the body of a request as it arrives, no faster than it is read; what is large, in turns with other large bodies. Unlike the
 * request's own iterator, leaving it early does not cut the connection, so that a refusal can still be sent. Throws DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED if its turns take as long as the body may, or CANCELLED if the client has left.
 */
export async function* readBody(
  request: NodeRequest,
  { totalMs, silenceMs }: BodyTimeouts,
): AsyncGenerator<Uint8Array> {
  const arrival = watchArrival(request);
  const startedAt = performance.now();
  let sizeBytes = 0;
  let turnMs = 0;
  try {
    for (;;) {
      if (sizeBytes > freeBytes && request.readableLength > 0) turnMs += await turnFor(request);
      if (totalMs !== undefined && turnMs > totalMs) throw tooBusy();
      const chunk = request.read() as Buffer | null;
      if (chunk !== null) {
        sizeBytes += chunk.length;
        yield chunk;
      } else if (request.readableEnded) {
        return;
      } else if (request.destroyed || request.errored) {
        throw cancelled(request.errored);
      } else {
        // The client is not late while others have their turns.
        const spentMs = performance.now() - startedAt - turnMs;
        const leftMs = totalMs === undefined ? silenceMs : Math.min(silenceMs, totalMs - spentMs);
        if (!(await arrival.within(leftMs))) {
          throw deadlineExceeded('the body of the request did not arrive in time');
        }
      }
    }
  } finally {
    arrival.end();
  }
}

const changes = ['readable', 'end', 'error', 'close'] as const;

function watchArrival(request: NodeRequest) {
  let wake = () => {};
  const onChange = () => wake();
  for (const event of changes) request.on(event, onChange);
  return {
    /** Resolves to whether something has changed before the time is over. */
    within(ms: number): Promise<boolean> {
      if (ms <= 0) return Promise.resolve(false);
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms, false);
        wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
    },
    end() {
      for (const event of changes) request.off(event, onChange);
    },
  };
}

/** Waits for the turn of a piece and returns how long, in milliseconds. */
async function turnFor(request: NodeRequest): Promise<number> {
  const queuedAt = performance.now();
  await bodyTurn(owners.get(request) ?? request.socket.remoteAddress ?? '');
  return performance.now() - queuedAt;
}

function tooBusy() {
  const message = 'too many large bodies are being read: try again, or send a smaller one';
  return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 5000 });
}

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
