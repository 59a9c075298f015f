import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { MessageRole, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { LlmProvider, ProviderEvent } from '../../../providers/llm-provider.ts';
import { answerByQuoting } from './answer/answer.ts';
import { createPassageTexts } from './passage/passage-texts.ts';

/** Memory for passages that were read, in bytes. */
const maxTextBytes = 64 * 1024 * 1024;

const capabilities = {
  generative: false,
  readsEvidence: true,
  contextTokens: 0,
  maxOutputTokens: 0,
  tools: false,
  images: false,
  jsonSchema: false,
  prefill: false,
} as const;

/**
 * The embedded default. It quotes the best sentences of the evidence, each with its marker, and refuses if the evidence does not answer the
 * question. It needs no key, model file or network, and writes no text of its own.
 */
export const adapter = defineAdapter({
  settings: {},
  create(): LlmProvider {
    const readText = createPassageTexts(maxTextBytes);
    return {
      name: 'extractive',
      capabilities,
      async *generate({ messages, evidence, language, maxTokens }, signal): AsyncIterable<ProviderEvent> {
        signal.throwIfAborted();
        yield { kind: 'started', model: 'extractive', warnings: [] };
        const question = messages.findLast(({ role }) => role === MessageRole.USER)?.text ?? '';
        const answer = answerByQuoting(question, evidence, language === Language.ZH ? 'zh' : 'en', readText);
        let tokens = 0;
        for (const text of answer.pieces) {
          signal.throwIfAborted();
          tokens += estimateTokens(text);
          // A quotation is never cut.
          if (maxTokens > 0 && tokens > maxTokens) {
            yield { kind: 'end', outcome: Outcome.LENGTH, reason: 'max_tokens' };
            return;
          }
          yield { kind: 'text', text };
        }
        const outcome = answer.isRefusal ? Outcome.NO_EVIDENCE : Outcome.COMPLETE;
        yield { kind: 'end', outcome, reason: answer.isRefusal ? 'no support in the evidence' : 'quoted' };
      },
      close: async () => {},
    };
  },
});
