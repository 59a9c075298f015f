import { create, fromBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type CacheScope,
  CacheScopeSchema,
  type InspectedEntry,
  InspectedEntrySchema,
  InspectOutcome,
  type InspectRequest,
} from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { sizeOf } from '../answers/answer-store.ts';
import { identityOf } from '../answers/key.ts';
import { accessLabel, documentsOf, questionLabel } from '../answers/labels.ts';
import type { Found } from '../answers/layers.ts';
import type { RpcDeps } from './rpc-deps.ts';

/** Largest count of answers to the same question in a reply; the limit of the contract. */
const maxOthers = 20;

/** Creates the rpc Inspect. It reads what a look-up would read, and begins no flight. */
export function createInspect({ settings, layers, flights, meaning, clock }: RpcDeps) {
  return async ({ question, scope }: InspectRequest, context: CallContext) => {
    const caller = context.principal;
    const { tenant } = caller;
    const key = scope && identityOf(caller, question, scope);
    let found: Found | undefined;
    if (key !== undefined && settings.enabled) {
      found =
        (await layers.findInMemory(tenant, key)) ?? (await layers.findDurable(tenant, key, settings.durableTimeoutMs));
    }
    const same = await layers.find(tenant, questionLabel(question), maxOthers + 1);
    const others = same.filter(({ answer }) => answer.key !== key).slice(0, maxOthers);
    const similar =
      found === undefined && scope !== undefined ? await meaning?.inspect(caller, question, scope, context) : undefined;
    return {
      semantic: similar === undefined ? '' : similar.kind === 'hit' ? 'hit' : `${similar.reason}: ${similar.detail}`,
      considered: (similar?.considered ?? []).map(({ key: of, similarity, score, refusedBy }) => ({
        key: of,
        similarity,
        ...(score === undefined ? {} : { score }),
        refusedBy: refusedBy ?? '',
      })),
      outcome: key === undefined ? InspectOutcome.UNSPECIFIED : outcomeOf(key, found),
      ...(found && { entry: toEntry(found, []) }),
      others: others.map((other) => toEntry(other, scope === undefined ? [] : differences(caller, scope, other))),
    };
  };

  function outcomeOf(key: string, found: Found | undefined): InspectOutcome {
    if (found !== undefined) return found.answer.staleAtMs > clock() ? InspectOutcome.HIT : InspectOutcome.STALE;
    return flights.followable(key) === undefined ? InspectOutcome.MISS : InspectOutcome.FOLLOW;
  }
}

function differences(caller: Principal, scope: CacheScope, { answer }: Found): string[] {
  const other = fromBinary(CacheScopeSchema, answer.scope);
  const parts: [name: string, isSame: boolean][] = [
    ['access', answer.labels.includes(accessLabel(caller))],
    ['corpora', revisionsOf(scope) === revisionsOf(other)],
    ['prompt_version', scope.promptVersion === other.promptVersion],
    ['model', scope.model === other.model],
    ['parameters', parametersOf(scope) === parametersOf(other)],
    ['language', scope.language === other.language],
  ];
  return parts.filter(([, isSame]) => !isSame).map(([name]) => name);
}

const revisionsOf = ({ corpora }: CacheScope): string =>
  JSON.stringify(corpora.map(({ corpus, revision }) => JSON.stringify([corpus, revision])).sort());
const parametersOf = ({ parameters }: CacheScope): string => JSON.stringify(Object.entries(parameters).sort());

function toEntry({ answer, layer }: Found, differing: string[]): InspectedEntry {
  return create(InspectedEntrySchema, {
    layer,
    storedAt: timestampFromMs(answer.storedAtMs),
    staleAt: timestampFromMs(answer.staleAtMs),
    expiresAt: timestampFromMs(answer.expiresAtMs),
    sizeBytes: BigInt(sizeOf(answer)),
    documentIds: documentsOf(answer.labels),
    scope: fromBinary(CacheScopeSchema, answer.scope),
    differences: differing,
  });
}
