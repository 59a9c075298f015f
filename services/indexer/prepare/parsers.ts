import { createFromAdapter, listAdapters } from '#kit/host/config/adapters.ts';
import type { ChosenAdapter } from '#kit/host/config/settings.ts';
import type { Ocr } from '../parse/ocr.ts';
import type { Parser } from '../parse/parser.ts';

/** The folder of the parsers. */
export const parserFolder = new URL('../adapters/parser/', import.meta.url);

const ocrFolder = new URL('../adapters/ocr/', import.meta.url);

/** Creates what reads images. Throws ConfigError if its settings are wrong or its packages are not installed. */
export function createOcr({ adapter, settings, path }: ChosenAdapter): Promise<Ocr> {
  return createFromAdapter<Ocr, { path: string }>(ocrFolder, adapter, settings, { path }, path);
}

/** Loads every parser of a folder; those with `isolation: 'process'` are given to `isolate`, with their names. */
export async function loadParsers(
  isolate: (name: string, parser: Parser) => Parser,
  folder: URL = parserFolder,
): Promise<Parser[]> {
  return Promise.all(
    listAdapters(folder).map(async (name) => {
      const parser = await createFromAdapter<Parser, object>(folder, name, {}, {}, 'indexer.parser');
      return parser.isolation === 'process' ? isolate(name, parser) : parser;
    }),
  );
}
