import type { NodeResponse } from '#kit/http/server/port.ts';
import { createSender } from '#kit/http/server/sender.ts';
import type { EdgeLimits } from './limits.ts';

/** A response of server-sent events (HTML standard, section 9.2). */
export interface EventStream {
  /** Reports whether its headers have been sent, so that a failure can only be an event. */
  opened(): boolean;
  /** Adds headers, unless they have been sent. */
  setHeaders(headers: Readonly<Record<string, string>>): void;
  /** Sends an event. Returns a promise to wait for if the client is behind. */
  event(name: string | undefined, data: string): Promise<void> | undefined;
  /** Sends an event that is the result of {@link frameOf}. Returns the same. */
  send(frame: Uint8Array): Promise<void> | undefined;
  /** Ends the stream. */
  end(): Promise<void>;
  /** Stops the heartbeat; call it always, last. */
  close(): void;
}

const ping = Buffer.from(': ping\n\n');

/** Returns an event as it goes over the stream. `data`: one line, as JSON is. */
export function frameOf(name: string | undefined, data: string): Uint8Array {
  return Buffer.from(`${name === undefined ? '' : `event: ${name}\n`}data: ${data}\n\n`);
}

/**
 * Creates an event stream. Its headers leave with the first event, or with the first heartbeat if no event comes for long:
 * proxies cut connections that are silent.
 */
export function createEventStream(response: NodeResponse, limits: EdgeLimits): EventStream {
  const sender = createSender(response, limits);
  let lastSentAt = performance.now();
  const open = () => {
    if (response.headersSent) return;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
  };
  const send = (frame: Uint8Array) => {
    open();
    lastSentAt = performance.now();
    return sender.send(frame);
  };
  const heartbeat = setInterval(() => {
    // A client that has left, or that is behind, needs no heartbeat; the owner of the stream is notified separately.
    if (performance.now() - lastSentAt >= limits.heartbeatMs * 0.9) send(ping)?.catch(() => {});
  }, limits.heartbeatMs);
  return {
    opened: () => response.headersSent,
    setHeaders(headers) {
      if (response.headersSent) return;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    },
    event: (name, data) => send(frameOf(name, data)),
    send,
    end: () => {
      open();
      return sender.end();
    },
    close: () => clearInterval(heartbeat),
  };
}
