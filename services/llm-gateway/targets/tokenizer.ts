import type { LLMModelConfig } from '#gen/ragmesh/config/v1/config_pb.ts';

/** Models by their names at providers, in any folder ("openai/gpt-4o"), with or without a date. The first pattern that matches counts. */
const vocabularies: readonly (readonly [name: RegExp, vocabulary: string])[] = [
  [/(?:^|\/)(?:gpt-4o|chatgpt-4o|gpt-4\.[15]|gpt-5|gpt-oss|o[134])(?:$|[-.:])/, 'o200k_base'],
  [/(?:^|\/)(?:gpt-4|gpt-35|gpt-3\.5)(?:$|[-.:])/, 'cl100k_base'],
];

/** Returns the vocabulary of a model's tokens, as configured or by its name; empty: not known. */
export function tokenizerOf(name: string, { tokenizer }: Pick<LLMModelConfig, 'tokenizer'>): string {
  if (tokenizer !== '') return tokenizer === 'estimate' ? '' : tokenizer;
  return vocabularies.find(([pattern]) => pattern.test(name.toLowerCase()))?.[1] ?? '';
}
