import { isDeepStrictEqual } from 'node:util';
import { toJsonString } from '@bufbuild/protobuf';
import type { Hit, LookupResponse } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { FilterSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { within } from '#kit/base/within.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { backgroundCall } from '../../answer/background.ts';
import type { Guardrails } from '../../ask/guardrails/guardrails.ts';
import { findCurated, type WalkDeps } from '../../ask/walk.ts';
import { assignTrials, unitOf } from '../../evidence/trials.ts';
import { toCacheKey } from '../key.ts';
import { choose, listVisible } from '../lookup.ts';
import { type Given, isPlain } from '../repeats.ts';

/** What the search of answers that can be given again needs. */
export type FindGivenDeps = WalkDeps & { guardrails: Guardrails };

/**
 * Returns for each question of a caller how it is answered again, if everything that decides on its answer says the same as before: rules
 * for questions, tools, models, what an operator has written, the corpora of the caller with their revisions, and the cache. Each is found
 * out now; what several questions have in common, once.
 */
export async function findGiven(
  deps: FindGivenDeps,
  requests: readonly AskRequest[],
  context: CallContext,
): Promise<(Given | undefined)[]> {
  const { tenant } = context.principal;
  const none = requests.map(() => undefined);
  const [offered, models, listed] = await Promise.all([
    deps.toolbox.offered(context.principal, context.signal),
    deps.models.list(tenant, backgroundCall(context, deps.settings.listTimeoutMs)),
    listVisible(deps.clients.retrieval, context, deps.settings.listTimeoutMs),
  ]);
  if (offered.length > 0 || models === undefined || !('corpora' in listed)) return none;

  const find = async (request: AskRequest, count: number): Promise<Given | undefined> => {
    const known = deps.repeats.understood(tenant, request, models);
    if (known === undefined) return undefined;
    const { guardrails, clients, settings } = deps;
    if ((await guardrails.question(tenant, request.question, context.signal)).length > 0) return undefined;
    const corpora = choose(listed.corpora, request.corpora);
    if ((await findCurated(deps, request, context, known.standalone, { corpora })) !== undefined) return undefined;
    const assigned = assignTrials(corpora, unitOf('', context.principal));
    const scope = toCacheKey(request, assigned.corpora, deps.promptVersion, known);
    const lookup = { question: known.standalone, scope, repeatCount: count };
    const { cacheTimeoutMs: timeoutMs } = settings;
    const hit = await within(() => readHit(clients.cache.lookup(lookup, context.forward())), { timeoutMs });
    const given = deps.repeats.given(known, hit);
    // An answer of the live version is the same before, during and after a trial, but not its record.
    return isDeepStrictEqual(given?.state.trials, assigned.trials) ? given : undefined;
  };

  const groups = Map.groupBy(requests.filter(isPlain), nameOf);
  const found = new Map<string, Given>();
  await Promise.all(
    [...groups].map(async ([name, [first, ...others]]) => {
      // What fails here fails, or not, when the question is asked.
      const given = first && (await find(first, 1 + others.length).catch(() => undefined));
      if (given !== undefined) found.set(name, given);
    }),
  );
  return requests.map((request) => (isPlain(request) ? found.get(nameOf(request)) : undefined));
}

async function readHit(responses: AsyncIterable<LookupResponse>): Promise<Hit | undefined> {
  let hit: Hit | undefined;
  for await (const { event } of responses) if (event.case === 'hit') hit = event.value;
  return hit;
}

// Of plain questions: all that their answers depend on.
function nameOf({ question, model, topK, maxTokens, language, temperature, corpora, filter }: AskRequest): string {
  const rest = filter === undefined ? '' : toJsonString(FilterSchema, filter);
  return JSON.stringify([question, model, topK, maxTokens, language, temperature ?? '', corpora, rest]);
}
