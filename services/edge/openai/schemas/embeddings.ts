import { z } from 'zod';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { anyFields, fields, list, number, text, word } from '../../http/fields.ts';
import { parseFields } from '../../http/parse-fields.ts';

const maxInputs = 2048;
const maxInputLength = 1 << 20;
/** Ids of one text, as OpenAI's embeddings have it. */
const maxInputTokens = 8192;

const texts = list(text({ min: 1, max: maxInputLength }), { min: 1, max: maxInputs });
const ids = list(number({ min: 0, max: 1_000_000, whole: true }), { min: 1, max: maxInputTokens });
const lists = list(ids, { min: 1, max: maxInputs });

/** Returns the texts of `input`, or its lists of ids of tokens. One text is a list of one, and so is one list of ids. Throws INVALID_ARGUMENT. */
export function readInput(value: unknown): string[] | { tokens: number[][] } {
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  if (typeof first === 'number') return { tokens: parseFields(lists, [value], 'input') };
  if (Array.isArray(first)) return { tokens: parseFields(lists, value, 'input') };
  return parseFields(texts, typeof value === 'string' ? [value] : value, 'input');
}

/** The body of `POST /v1/embeddings`. */
export const embeddingsSchema = fields({
  model: text({ max: 256 }).nullish(),
  input: z.unknown(),
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
