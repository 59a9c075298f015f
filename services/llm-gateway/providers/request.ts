import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { GenerateRequest } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { type ExtraFields, extraFieldsFor } from '../routing/extra-fields.ts';
import type { Needs } from '../routing/filter.ts';
import { isAskedWhole, type Target } from '../targets/target.ts';
import type { ProviderRequest } from './llm-provider.ts';
import { renderEvidence } from './render-evidence.ts';

/**
 * Returns the request for the provider of a target. `prefix`: the partial answer to continue, which has used its part of the longest
 * completion.
 */
export function toProviderRequest(
  target: Target,
  request: GenerateRequest,
  needs: Needs,
  fields: ExtraFields,
  tenantTag: string,
  prefix: string,
): ProviderRequest {
  const { provider, reasoningField, callExtraContent } = target;
  const { messages, evidence, maxTokens } = request;
  const { extra, warnings } = extraFieldsFor(target, fields);
  if (reasoningField === '' && messages.some(({ reasoning }) => reasoning !== '')) {
    warnings.push(`reasoning of earlier messages: not passed to ${target.name}, which has no reasoning_field`);
  }
  const { readsEvidence } = provider.capabilities;
  return {
    messages:
      readsEvidence || evidence.length === 0
        ? messages
        : renderEvidence(messages, evidence, needs.language === Language.ZH ? 'zh' : 'en'),
    evidence: readsEvidence ? evidence : [],
    maxTokens: prefix === '' || maxTokens === 0 ? maxTokens : Math.max(1, maxTokens - estimateTokens(prefix)),
    temperature: request.temperature,
    topP: request.topP,
    seed: request.seed,
    frequencyPenalty: request.frequencyPenalty,
    presencePenalty: request.presencePenalty,
    stop: request.stop,
    get language() {
      return needs.language;
    },
    tools: request.tools,
    toolChoice: request.toolChoice,
    parallelToolCalls: request.parallelToolCalls,
    responseFormat: request.responseFormat,
    reasoningEffort: request.reasoningEffort,
    promptCacheSeconds: request.promptCacheSeconds,
    prefix,
    whole: isAskedWhole(target, request),
    tenantTag,
    extra,
    reasoningField,
    callExtraContent,
    warnings,
  };
}
