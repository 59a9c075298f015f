import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Block } from '../../parse/blocks.ts';
import { type Parsed, type Parser, UnreadableError } from '../../parse/parser.ts';

/** What the parser does with a file: its first line. The rest becomes documents, one for each line. */
export type Order =
  | 'read'
  | 'spin'
  | 'hoard'
  | 'hoard-buffers'
  | 'abort'
  | 'refuse'
  | 'throw'
  | 'slow'
  | 'exit'
  | 'identify';

const hoarded: unknown[] = [];

/** Follows orders in a process of its own. */
export const hostileParser: Parser = {
  mediaTypes: ['application/x-hostile'],
  endings: ['.hostile'],
  isList: true,
  isolation: 'process',
  async *parse(file, bytes) {
    let text = '';
    for await (const part of bytes) text += Buffer.from(part).toString();
    const [order, ...lines] = text.split('\n');
    for (const [index, line] of lines.entries()) yield documentOf(`${file.path}#${index}`, line);
    switch (order as Order) {
      case 'read':
        return;
      case 'spin':
        for (;;);
      case 'hoard':
        for (;;) hoarded.push(new Array(10_000).fill({}));
      case 'hoard-buffers':
        for (;;) hoarded.push(Buffer.alloc(4 << 20, 1));
      case 'abort':
        return process.abort();
      case 'exit':
        return process.exit(1);
      case 'refuse':
        throw new UnreadableError('is refused: do something', undefined, 7);
      case 'throw':
        throw new RangeError('words of the document');
      case 'slow':
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          yield { kind: 'progress' };
        }
      case 'identify': {
        const facts = { pid: process.pid, environment: Object.keys(process.env) };
        yield documentOf(file.path, JSON.stringify(facts));
      }
    }
  },
};

function documentOf(documentId: string, text: string): Parsed {
  const blocks: Block[] = [{ kind: 'paragraph', start: 0, end: text.length }];
  const document = { documentId, isPlaced: true, line: 1, title: 'x', url: '', language: '', groups: undefined };
  return { kind: 'document', document: { ...document, attributes: {}, updatedAtMs: undefined, text, blocks } };
}

/** A parser that does what its file orders: it loops, exhausts memory, or ends its process. */
export const adapter = defineAdapter({ settings: {}, create: () => hostileParser });
