import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type GenerateRequest, MessageRole, Task, ToolChoiceMode } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { estimatePrompt } from '../accounting/usage.ts';
import type { Target } from '../targets/target.ts';

/** The requirements of a request for its model. */
export interface Needs {
  /** Tokens of the prompt by the gateway's own count, which is usually slightly high. */
  readonly promptTokens: number;
  /** Longest completion that the caller allows, in tokens; 0: the model's default. */
  maxTokens: number;
  tools: boolean;
  images: boolean;
  jsonSchema: boolean;
  /** Whether it needs a generative model: any task but an answer. */
  writing: boolean;
  /** Language of the completion: the caller's choice, or the language of the question. */
  readonly language: Language;
}

/** Largest ratio of the gateway's count to the real one (99th percentile, see estimateTokens). */
const overestimate = 1.4;

/** Returns the requirements of a request for its model. */
export function needsOf(request: GenerateRequest): Needs {
  const { messages, tools, toolChoice, responseFormat, maxTokens, task } = request;
  let promptTokens: number | undefined;
  let language: Language | undefined;
  const usesTools = tools.length > 0 && toolChoice?.mode !== ToolChoiceMode.NONE;
  return {
    // The count reads the whole prompt, so it is computed only if a limit, a price or a length needs it.
    get promptTokens() {
      promptTokens ??= estimatePrompt(request);
      return promptTokens;
    },
    maxTokens,
    tools: usesTools || messages.some(({ role, toolCalls }) => role === MessageRole.TOOL || toolCalls.length > 0),
    images: messages.some(({ images }) => images.length > 0),
    jsonSchema: responseFormat?.form.case === 'jsonSchema',
    writing: task !== Task.UNSPECIFIED && task !== Task.ANSWER,
    get language() {
      language ??= languageOf(request);
      return language;
    },
  };
}

function languageOf({ language, messages }: GenerateRequest): Language {
  if (language !== Language.UNSPECIFIED) return language;
  const question = messages.findLast(({ role }) => role === MessageRole.USER)?.text ?? '';
  return detectLanguage(question) === 'zh' ? Language.ZH : Language.EN;
}

/** Returns the needs that a target does not meet, in the words of the contract; empty: it can take the request. */
export function missingOf({ capabilities }: Target, needs: Needs): string[] {
  const { contextTokens, maxOutputTokens } = capabilities;
  const least = contextTokens > 0 ? Math.floor(needs.promptTokens / overestimate) + needs.maxTokens : 0;
  return [
    ...(needs.tools && !capabilities.tools ? ['tools'] : []),
    ...(needs.images && !capabilities.images ? ['images'] : []),
    ...(needs.jsonSchema && !capabilities.jsonSchema ? ['json_schema'] : []),
    ...(contextTokens > 0 && least > contextTokens ? [`context of ${least} tokens`] : []),
    ...(maxOutputTokens > 0 && needs.maxTokens > maxOutputTokens
      ? [`completion of ${needs.maxTokens} tokens (it writes at most ${maxOutputTokens})`]
      : []),
  ];
}

/**
 * Returns the targets that can take the request. Targets whose context is certainly long enough are preferred to those whose context may
 * be, then targets that write the language well to all others.
 */
export function filterTargets(targets: readonly Target[], needs: Needs): Target[] {
  const able = targets.filter((target) => missingOf(target, needs).length === 0);
  const holds = ({ capabilities: { contextTokens } }: Target) =>
    contextTokens === 0 || needs.promptTokens + needs.maxTokens <= contextTokens;
  const writesWell = ({ languages }: Target) => languages.length === 0 || languages.includes(needs.language);
  return preferred(preferred(able, holds), writesWell);
}

function preferred(targets: Target[], suits: (target: Target) => boolean): Target[] {
  const suited = targets.filter(suits);
  return suited.length > 0 ? suited : targets;
}
