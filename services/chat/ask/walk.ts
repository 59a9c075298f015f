import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { backgroundCall } from '../answer/background.ts';
import { rethrowIfFinal } from '../answer/failure.ts';
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
  /** How the same question was understood before, if it cannot be understood otherwise now. */
  readonly known: Understood | undefined;
}

/** Begins to understand a question and to look it up. The look-up of the walk must be closed. */
export async function begin(
  deps: WalkDeps,
  request: AskRequest,
  context: CallContext,
  state: AnswerState,
): Promise<Walk> {
  const known = await understoodBefore(deps, request, context);
  const understanding = Promise.withResolvers<Understood>();
  // The look-up begins first: its span includes the work for its key.
  const lookup = beginLookup(deps, request, context, understanding.promise);
  if (known === undefined) understand(deps, request, context, state).then(understanding.resolve, understanding.reject);
  else understanding.resolve(known);
  return { understanding: understanding.promise, lookup, known };
}

// What a tool says, and what is masked, is for its caller.
const isRepeatable = async ({ masks, toolbox }: WalkDeps, request: AskRequest, { principal, signal }: CallContext) =>
  masks === undefined && isPlain(request) && (await toolbox.offered(principal, signal)).length === 0;

async function understoodBefore(deps: WalkDeps, request: AskRequest, context: CallContext) {
  if (!(await isRepeatable(deps, request, context))) return undefined;
  const { tenant } = context.principal;
  const models = await deps.models.list(tenant, backgroundCall(context, deps.settings.listTimeoutMs));
  return models && deps.repeats.understood(tenant, request, models);
}

/** Returns how the question was answered before, if the cache has found that answer again. Then the look-up is over. */
export async function givenBefore(
  deps: WalkDeps,
  { known, lookup }: Walk,
  request: AskRequest,
  context: CallContext,
): Promise<Given | undefined> {
  if (known === undefined) return undefined;
  const listed = await lookup.corporaListed;
  if ((await findCurated(deps, request, context, known.standalone, listed)) !== undefined) return undefined;
  const found = await lookup.peek();
  const given = deps.repeats.given(known, found);
  if (given === undefined || found.kind !== 'answer') return undefined;
  await lookup.take();
  try {
    while ((await found.events.next()).done !== true);
  } catch (error) {
    // All of the answer was in the first message.
    rethrowIfFinal(error, context);
  } finally {
    await found.events.return?.();
  }
  return given;
}

/** Remembers how a question was answered from the cache. */
export async function remember(
  deps: WalkDeps,
  { understanding, lookup }: Walk,
  request: AskRequest,
  context: CallContext,
  given: Given,
): Promise<void> {
  if (!(await isRepeatable(deps, request, context))) return;
  deps.repeats.remember(context.principal.tenant, request, await understanding, await lookup.peek(), given);
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
