import { z } from 'zod';
import { anyFields, fieldsAndOthers, list, refusedUnlessEmpty, text } from '../../http/fields.ts';

const prompt = text({ min: 1, max: 4 << 20 });
const oneText = 'must be a text, or a list of one: ask once for each prompt';

/** The body of `POST /v1/completions`. Other fields are those of chat completions. */
export const promptSchema = fieldsAndOthers({
  prompt: z.union([prompt, list(prompt, { min: 1, max: 1 }).transform(([only = '']) => only)], oneText),
  suffix: refusedUnlessEmpty('is not supported: models of chats do not fill gaps'),
  echo: refusedUnlessEmpty('is not supported: the prompt is not repeated'),
  best_of: z.literal(1, 'must be 1').nullish(),
  ...anyFields(['logprobs']),
});
