import { actAs } from '#kit/context.ts';
import { sendJson } from '../http/error.ts';
import { readJsonBody } from '../http/json-body.ts';
import { headersOf, type JsonRoute, logBug, workFor } from '../http/json-route.ts';
import { isGone } from '../http/sender.ts';
import { forLargeBodies, type OpenAiDeps } from './deps.ts';
import { sendOpenAiError } from './error.ts';

/** Options for the calls that serve a request: the caller's identity, and an end where the client goes away. */
export type CallOptions = ReturnType<typeof actAs>;

/** A route that takes a JSON body and gives one. */
export function createJsonCall(
  name: string,
  deps: OpenAiDeps,
  answer: (body: unknown, options: CallOptions) => Promise<unknown>,
): JsonRoute {
  const { admit, limits, log } = deps;
  const bodyLimits = forLargeBodies(limits);
  return async (request, response) => {
    const { signal, abort } = workFor(response);
    try {
      const { token } = await admit(headersOf(request), signal);
      const body = await readJsonBody(request, bodyLimits);
      sendJson(response, 200, await answer(body, actAs(token, { signal })));
    } catch (error) {
      abort();
      if (isGone(response)) return;
      logBug(log, name, error);
      sendOpenAiError(response, error);
    }
  };
}
