import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { ToolPlan } from './plan.ts';
import type { OfferedTool } from './toolbox.ts';

/** A tool reads the originals of its caller, which are in nothing that is recorded; what it returns is masked. */
export function maskTool(offered: OfferedTool, masks: RequestMasks): OfferedTool {
  const restored = (given: unknown) => mapStrings(given as JsonValue, masks.restoreForTool);
  return {
    ...offered,
    check(given) {
      const plain = restored(given);
      // A mask of another request has no original here.
      if (/\[[A-Z_]{2,16}_\d{1,4}\]/.test(JSON.stringify(plain)))
        return 'an argument is masked: ask again with its value';
      return offered.check(plain);
    },
    call: async (given, caller) => mapStrings(await offered.call(restored(given) as JsonObject, caller), masks.mask),
  };
}

/** Returns a plan that was made with originals, with its arguments masked. */
export function maskPlan(plan: ToolPlan, masks: RequestMasks): ToolPlan {
  const { first, question } = plan;
  return {
    ...plan,
    ...(first !== undefined && {
      first: { ...first, arguments: mapStrings(first.arguments, masks.mask) as JsonObject },
    }),
    ...(question !== undefined && { question: masks.mask(question) }),
  };
}

/** Returns the store of calls that wait, in which what the caller has said is encrypted. */
export function sealProposals(
  { propose }: Pick<Sessions, 'propose'>,
  { sealOwn }: RequestMasks,
): Pick<Sessions, 'propose'> {
  return {
    propose: (owner, proposal) =>
      propose(owner, {
        ...proposal,
        argumentsJson: sealOwn(proposal.argumentsJson),
        question: sealOwn(proposal.question),
      }),
  };
}

/** Returns the plan of a call that waited, with its masks known in this request. */
export function shortenPlan(plan: ToolPlan, { shortenOwn }: RequestMasks): ToolPlan {
  const { first, question } = plan;
  return {
    ...plan,
    ...(first !== undefined && {
      first: { ...first, arguments: mapStrings(first.arguments, shortenOwn) as JsonObject },
    }),
    ...(question !== undefined && { question: shortenOwn(question) }),
  };
}

function mapStrings(value: JsonValue, map: (text: string) => string): JsonValue {
  if (typeof value === 'string') return map(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => mapStrings(element, map));
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, mapStrings(element, map)]));
}
