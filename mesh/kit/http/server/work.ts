import { cancelled } from '../../base/errors.ts';
import type { NodeResponse } from './port.ts';

/** The work for a response. */
export interface Work {
  /** Aborts when the client leaves before the response has ended, and by `abort`. */
  signal: AbortSignal;
  /** Ends what was begun for the response; call it when the response fails for a reason of its own. */
  abort(): void;
}

/** Ties work to a response. */
export function workFor(response: NodeResponse): Work {
  const controller = new AbortController();
  response.once('close', () => {
    // Not "finished": a stream that its client resets is finished as well.
    if (!response.writableEnded) controller.abort(cancelled());
  });
  return { signal: controller.signal, abort: () => controller.abort(cancelled()) };
}
