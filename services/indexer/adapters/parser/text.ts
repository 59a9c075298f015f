import { defineAdapter } from '#kit/host/config/adapters.ts';
import { blocksOfText } from '../../parse/blocks-of-text.ts';
import { clip } from '../../parse/clean.ts';
import { readText } from '../../parse/decode.ts';
import { expandTables } from '../../parse/expand-tables.ts';
import type { Parser } from '../../parse/parser.ts';
import { parseWhole } from '../../parse/whole-document.ts';

const titleLengthMax = 120;

const parser: Parser = {
  mediaTypes: ['text/plain'],
  endings: ['.txt', '.text'],
  isList: false,
  async *parse(file, parts) {
    const read = await readText(file, parts);
    yield* read.notes;
    const text = expandTables(read.text);
    const firstLine = /\S.*/.exec(text)?.[0].trim() ?? '';
    const title = clip(firstLine.replace(/^#{1,6}\s+/, ''), titleLengthMax);
    yield* parseWhole(file, { text, blocks: blocksOfText(text), values: {}, title });
  },
};

/** Reads plain text as one document; its first line is the title. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
