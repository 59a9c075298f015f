import type { DescMethod } from '@bufbuild/protobuf';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { Admission } from '../admission/admission.ts';
import { requireEdgeRole } from '../admission/model-access.ts';
import { sendJson } from '../http/error.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type JsonRoute, noteFailure } from '../http/json-route.ts';
import { forLargeBodies } from '../http/limits.ts';
import type { OpenAiDeps } from './deps.ts';
import { sendOpenAiError } from './error.ts';
import { setRateHeaders } from './rate-headers.ts';

/** Options for the calls that serve a request: the caller's identity, and a signal that aborts when the client leaves. */
export type CallOptions = ReturnType<typeof actAs>;

/** A route that serves `method` by a JSON body and a JSON reply. `admission` says which models the caller may name. */
export function createJsonCall(
  name: string,
  method: DescMethod,
  deps: OpenAiDeps,
  answer: (body: unknown, options: CallOptions, admission: Admission) => Promise<unknown>,
): JsonRoute {
  const { admit, running, limits } = deps;
  const bodyLimits = forLargeBodies(limits);
  return async (request, response) => {
    const { signal, abort } = workFor(response);
    let release: (() => void) | undefined;
    try {
      const admission = await admit(request, signal);
      setRateHeaders(response, admission.rate);
      requireEdgeRole(admission.principal, method);
      release = await running.begin(admission.principal);
      const body = await readJsonBody(request, bodyLimits);
      sendJson(response, 200, await answer(body, actAs(admission.token, { signal }), admission));
    } catch (error) {
      abort();
      if (isGone(response)) return;
      noteFailure(deps, name, request, error);
      sendOpenAiError(response, error);
    } finally {
      release?.();
    }
  };
}
