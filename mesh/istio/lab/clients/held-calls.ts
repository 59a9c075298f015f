import { type ClientHttp2Stream, connect } from 'node:http2';
import { type Reply, replyOf, requestHeaders } from './wire.ts';

/** Calls that are open because their client does not end its stream. */
export interface HeldCalls {
  /** Resolves with the calls that have ended, once there are `count` of them; with fewer if no more end within half a minute. */
  ended(count: number): Promise<readonly Reply[]>;
  /** Ends the streams of the client. Resolves with how each of the calls that were open has ended. */
  release(): Promise<readonly Reply[]>;
}

const waitMs = 30_000;

/** Opens calls of an rpc that takes a stream, on one connection. */
export function holdCalls(
  origin: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  count: number,
): HeldCalls {
  const session = connect(origin);
  session.on('error', () => {});
  const open = new Set<ClientHttp2Stream>();
  const endings: Reply[] = [];
  const each = Array.from({ length: count }, () => {
    const request = session.request(requestHeaders(path, headers), { endStream: false });
    open.add(request);
    const seen: Record<string, unknown> = {};
    for (const event of ['response', 'trailers'] as const) {
      request.on(event, (received) => Object.assign(seen, received));
    }
    return new Promise<Reply>((resolve) => {
      let failure = 'the connection was closed';
      request.on('error', (error) => {
        failure = error.message;
      });
      request.on('close', () => {
        open.delete(request);
        const reply = replyOf(seen, failure);
        endings.push(reply);
        resolve(reply);
      });
      request.resume();
    });
  });
  return {
    async ended(wanted) {
      const deadline = performance.now() + waitMs;
      while (endings.length < wanted && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return [...endings];
    },
    async release() {
      const before = endings.length;
      for (const request of open) request.end();
      await Promise.all(each);
      session.destroy();
      return endings.slice(before);
    },
  };
}
