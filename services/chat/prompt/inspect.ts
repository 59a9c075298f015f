import { create } from '@bufbuild/protobuf';
import { type PromptInspection, PromptInspectionSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { MessageRoleSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { shares } from './budget.ts';
import type { Prompt } from './prompt.ts';

/** Returns a prompt for an operator who inspects it. */
export function inspectPrompt(prompt: Prompt, isGenerative: boolean): PromptInspection {
  const { parts, budgetTokens, passages, messages, plainMessages } = prompt;
  const shareOf: Partial<Record<string, number>> = shares;
  return create(PromptInspectionSchema, {
    budgetTokens,
    passages,
    parts: Object.entries(parts).map(([name, tokens]) => ({ name, tokens, share: shareOf[name] ?? 0 })),
    messages: (isGenerative ? messages : plainMessages).map(({ role, text }) => ({
      role: enumName(MessageRoleSchema, role).toLowerCase(),
      text,
    })),
  });
}
