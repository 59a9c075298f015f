import { createFromAdapter, listAdapters } from '#kit/host/config/adapters.ts';
import type { Parser } from '../parse/parser.ts';

/** The folder of the parsers. */
export const parserFolder = new URL('../adapters/parser/', import.meta.url);

/** Loads every parser; those with `isolation: 'process'` are given to `isolate`, with their names. */
export async function loadParsers(isolate: (name: string, parser: Parser) => Parser): Promise<Parser[]> {
  return Promise.all(
    listAdapters(parserFolder).map(async (name) => {
      const parser = await createFromAdapter<Parser, object>(parserFolder, name, {}, {}, 'indexer.parser');
      return parser.isolation === 'process' ? isolate(name, parser) : parser;
    }),
  );
}
