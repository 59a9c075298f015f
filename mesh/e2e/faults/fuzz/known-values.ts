import type { KnownValues } from './values.ts';

/** Values that exist in a mesh with the sample, of the tenant "demo". */
export const knownValues: KnownValues = {
  corpus: ['shop', 'help', 'mine'],
  user: ['dev'],
  question: ['退款需要多久？', 'How long do I have to send back unwashed bedding?'],
  query: ['退款', 'bedding returns'],
  model: ['ragmesh', 'extractive', 'hashing', 'lexical'],
  role: ['system', 'user', 'assistant', 'tool'],
  media_type: ['text/markdown', 'application/pdf', 'text/csv'],
  path: ['a.md', 'a.pdf', 'a.csv', 'a.jsonl', 'a.html', 'a.docx'],
  group: ['staff', 'board'],
  language: ['zh', 'en'],
  adapter: ['directory', 'web', 's3'],
};
