import { z } from 'zod';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { anyFields, fields, list, number, text, word } from '../../http/fields.ts';

const maxInputs = 2048;
const maxInputLength = 1 << 20;

// One text is a list of one.
const input = z.preprocess(
  (value, { addIssue }) => {
    const texts = typeof value === 'string' ? [value] : value;
    const first: unknown = Array.isArray(texts) ? texts[0] : undefined;
    if (typeof first === 'number' || Array.isArray(first)) {
      addIssue(
        'holds ids of tokens, which differ by model: send the texts themselves (in LangChain, check_embedding_ctx_length=False)',
      );
    }
    return texts;
  },
  list(text({ min: 1, max: maxInputLength }), { min: 1, max: maxInputs }),
);

/** The body of `POST /v1/embeddings`. */
export const embeddingsSchema = fields({
  model: text({ max: 256 }).nullish(),
  input,
  encoding_format: word({ float: 'float', base64: 'base64' }).nullish(),
  dimensions: number({ min: 1, max: 8192, whole: true }).nullish(),
  // Models differ in the words for it; these are OpenAI-compatible servers', Cohere's and Voyage's.
  input_type: word({
    query: Purpose.QUERY,
    search_query: Purpose.QUERY,
    document: Purpose.DOCUMENT,
    search_document: Purpose.DOCUMENT,
    passage: Purpose.DOCUMENT,
  }).nullish(),
  ...anyFields(['user']),
});
