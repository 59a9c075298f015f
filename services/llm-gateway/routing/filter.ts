import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type GenerateRequest, MessageRole, Task, ToolChoiceMode } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { estimatePrompt } from '../accounting/usage.ts';
import type { Target } from '../targets/target.ts';

/** What a request asks of a model. */
export interface Needs {
  /** Tokens of the prompt by our own count, which is mostly a little high. */
  readonly promptTokens: number;
  /** Longest completion that the caller wants, in tokens; 0: the model's default. */
  maxTokens: number;
  tools: boolean;
  images: boolean;
  jsonSchema: boolean;
  /** Whether it wants a model that writes: any task but an answer. */
  writing: boolean;
  /** Language of the completion: what the caller said, or that of the question. */
  readonly language: Language;
}

/** Our count is at most this many times the real one (99th percentile, see estimateTokens). */
const overestimate = 1.4;

/** What a request asks of a model. */
export function needsOf(request: GenerateRequest): Needs {
  const { messages, tools, toolChoice, responseFormat, maxTokens, task } = request;
  let promptTokens: number | undefined;
  let language: Language | undefined;
  const usesTools = tools.length > 0 && toolChoice?.mode !== ToolChoiceMode.NONE;
  return {
    // Every text of the prompt is gone through for it, so only where somebody asks: a limit, a price, a length.
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

/** What of the needs a target lacks, in the contract's words; empty: it fits. */
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
 * The targets that can take the request, best-suited ones alone where there are any: those that surely hold it before those that
 * may, and those that write the language well before those that do not claim to.
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
