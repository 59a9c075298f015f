import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GenerateRequestSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';

/** Tokens of a large image, which is scaled down (docs.claude.com/en/docs/build-with-claude/vision: at most about 1,600). */
const imageTokens = 1600;
/** Tokens around a message: its role and its ends. */
const messageTokens = 4;
/** Tokens around a tool. */
const toolTokens = 12;

/** A prompt whose tokens are counted. */
export type CountedPrompt = Pick<MessageInitShape<typeof GenerateRequestSchema>, 'messages' | 'tools'>;

/** Estimates the tokens of a prompt: all that a model reads before it writes. The kit's estimate, mostly a little too high. */
export function countPromptTokens({ messages = [], tools = [] }: CountedPrompt): number {
  let tokens = 0;
  for (const { text = '', reasoning = '', toolCalls = [], images = [] } of messages) {
    tokens += messageTokens + estimateTokens(text) + estimateTokens(reasoning) + images.length * imageTokens;
    for (const { name = '', argumentsJson = '' } of toolCalls) tokens += estimateTokens(name + argumentsJson);
  }
  for (const { name = '', description = '', parametersJson = '' } of tools) {
    tokens += toolTokens + estimateTokens(`${name} ${description} ${parametersJson}`);
  }
  return tokens;
}
