import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Parser } from '../../../parse/parser.ts';
import { parseLines } from './lines.ts';
import { parseList } from './list.ts';

const lineTypes = ['application/jsonl', 'application/x-ndjson', 'application/x-jsonlines', 'application/jsonlines'];

const parser: Parser = {
  mediaTypes: [...lineTypes, 'application/json'],
  endings: ['.jsonl', '.ndjson', '.json'],
  isList: true,
  parse(file, bytes) {
    const isLines = lineTypes.includes(file.mediaType.split(';')[0]?.trim() ?? '');
    const isList =
      !isLines && (file.path.toLowerCase().endsWith('.json') || file.mediaType.startsWith('application/json'));
    return isList ? parseList(file, bytes) : parseLines(file, bytes);
  },
};

/** Reads JSON: one document for each object of a list, or of each line. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
