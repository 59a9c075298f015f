import type { TextStream } from '#kit/personal-data/mask-stream.ts';
import type { AnswerText } from './answer-text.ts';

/** Masks what a model writes before it becomes text of the answer; without a stream the text stays as it is. */
export function maskAnswerText(text: AnswerText, stream: TextStream | undefined): AnswerText {
  if (stream === undefined) return text;
  return {
    ...text,
    async push(delta) {
      const masked = stream.push(delta);
      return masked === '' ? [] : text.push(masked);
    },
    end: async () => [...(await text.push(stream.end())), ...(await text.end())],
  };
}
