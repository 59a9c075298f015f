import { z } from 'zod';
import { anyFields, fields, fieldsAmongOthers, flag, list, number, text } from '../../http/fields.ts';

const maxDocuments = 1000;
const documentText = text({ max: 1 << 20 });

const document = z.union(
  [
    documentText.transform((content) => ({ text: content, title: '' })),
    fieldsAmongOthers({ text: documentText, title: text({ max: 4096 }).nullish() }).transform((parts) => ({
      text: parts.text,
      title: parts.title ?? '',
    })),
  ],
  'must be a text or an object with text',
);

/** The body of `POST /v1/rerank`. */
export const rerankSchema = fields({
  model: text({ max: 256 }).nullish(),
  query: text({ min: 1, max: 16_384 }),
  documents: list(document, { min: 1, max: maxDocuments }),
  top_n: number({ min: 1, max: Number.MAX_SAFE_INTEGER, whole: true }).nullish(),
  return_documents: flag.nullish(),
  // Models cut long documents by limits of their own.
  ...anyFields(['max_tokens_per_doc', 'max_chunks_per_doc', 'truncation', 'user']),
});
