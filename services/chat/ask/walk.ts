import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { AnswerState } from '../answer/state.ts';
import { beginLookup, type ListedCorpora, type Lookup, type LookupDeps } from '../cache/lookup.ts';
import { type Given, isPlain, type Repeats } from '../cache/repeats.ts';
import type { FindCurated } from '../evidence/curated/curated.ts';
import { type UnderstandDeps, type Understood, understand } from '../understand/understand.ts';

/** What the beginning of a walk needs. */
export interface WalkDeps extends Omit<LookupDeps, 'clients'>, Omit<UnderstandDeps, 'clients'> {
  findCurated: FindCurated;
  repeats: Repeats;
  clients: LookupDeps['clients'] & UnderstandDeps['clients'];
}

/** A question on its way: how it is understood, and its look-up in the cache, both in flight. */
export interface Walk {
  readonly understanding: Promise<Understood>;
  readonly lookup: Lookup;
}

/** Begins to understand a question and to look it up. The look-up of the walk must be closed. */
export function begin(deps: WalkDeps, request: AskRequest, context: CallContext, state: AnswerState): Walk {
  const understanding = Promise.withResolvers<Understood>();
  // The look-up begins first: its span includes the work for its key.
  const lookup = beginLookup(deps, request, context, understanding.promise);
  understand(deps, request, context, state).then(understanding.resolve, understanding.reject);
  return { understanding: understanding.promise, lookup };
}

/** Remembers how a question was answered from the cache, if it may be answered so again. */
export async function remember(
  deps: WalkDeps,
  { understanding, lookup }: Walk,
  request: AskRequest,
  context: CallContext,
  given: Given,
): Promise<void> {
  const { masks, toolbox } = deps;
  const { principal, signal } = context;
  // What a tool says, and what is masked, is for its caller.
  if (masks !== undefined || !isPlain(request) || (await toolbox.offered(principal, signal)).length > 0) return;
  deps.repeats.remember(principal.tenant, request, await understanding, await lookup.peek(), given);
}

/** Returns what an operator wants to be said, which comes first. A condition on documents is one on what may be said. */
export async function findCurated(
  deps: Pick<WalkDeps, 'findCurated'>,
  { filter, inspectPrompt }: AskRequest,
  context: CallContext,
  standalone: string,
  listed: ListedCorpora,
) {
  if (filter !== undefined || inspectPrompt || !('corpora' in listed)) return undefined;
  return deps.findCurated(standalone, listed.corpora, context);
}
