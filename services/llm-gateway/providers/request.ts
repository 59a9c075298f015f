import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type GenerateRequest, type Message, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { type ExtraFields, extraFieldsFor } from '../routing/extra-fields.ts';
import type { Needs } from '../routing/filter.ts';
import { isAskedWhole, type Target } from '../targets/target.ts';
import { withoutControlTokens } from './control-tokens.ts';
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
    messages: readsEvidence ? messages : readable(request, needs),
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

/** Returns the messages for a model that reads text. */
function readable({ messages, evidence, task }: GenerateRequest, needs: Needs): Message[] {
  if (evidence.length > 0) return renderEvidence(messages, evidence, needs.language === Language.ZH ? 'zh' : 'en');
  // Services name their task, and quote documents, questions and results of tools. Without one, a person uses the model as it is.
  return task === Task.UNSPECIFIED ? messages : withoutControlTokens(messages);
}
