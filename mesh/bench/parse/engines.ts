import { pageTextsOf, tableCellsOf } from '../../../services/indexer/testing/pdf/lay-out-pdf.ts';
import type { TableCell } from './relations.ts';

/** A reader of PDFs that is measured. */
export interface Engine {
  /** Returns the words of each page. */
  texts(bytes: Uint8Array): Promise<string[]>;
  /** Returns the cells of each table; absent if it finds none. */
  tables?(bytes: Uint8Array): Promise<TableCell[][]>;
}

/** Names of the engines, with what installs each that is no dependency of the project. */
export const engines = {
  ragmesh: '',
  liteparse: '@llamaindex/liteparse@2.14.7',
  'pdfjs-dist': 'pdfjs-dist@6.5.438',
} as const;

/** Loads an engine. Rejects if its package is not installed. */
export async function loadEngine(name: keyof typeof engines): Promise<Engine> {
  switch (name) {
    case 'ragmesh':
      return { texts: pageTextsOf, tables: tableCellsOf };
    case 'liteparse':
      return loadLiteparse();
    case 'pdfjs-dist':
      return loadPdfjs();
    default:
      return name satisfies never;
  }
}

// The two packages are not dependencies, so their names are not known to the type checker.
const load = (name: string) => import(name) as Promise<unknown>;

interface Liteparse {
  LiteParse: new (
    options: object,
  ) => { parse(bytes: Buffer): Promise<{ pages: { text: string; markdown: string }[] }> };
}

async function loadLiteparse(): Promise<Engine> {
  const { LiteParse } = (await load('@llamaindex/liteparse')) as Liteparse;
  const parse = (bytes: Uint8Array) =>
    new LiteParse({ outputFormat: 'markdown', ocrEnabled: false, keepHeadersFooters: true }).parse(Buffer.from(bytes));
  return {
    texts: async (bytes) => (await parse(bytes)).pages.map(({ text }) => text),
    tables: async (bytes) => (await parse(bytes)).pages.flatMap(({ markdown }) => tablesOfMarkdown(markdown)),
  };
}

/** Returns the cells of the tables in a Markdown text. */
function tablesOfMarkdown(markdown: string): TableCell[][] {
  const tables: string[][] = [];
  let isOpen = false;
  for (const line of markdown.split('\n')) {
    const isRow = /^\s*\|.*\|\s*$/.test(line);
    if (isRow && !isOpen) tables.push([]);
    if (isRow && !/^[\s|:-]+$/.test(line)) tables.at(-1)?.push(line);
    isOpen = isRow;
  }
  return tables.map((rows) =>
    rows.flatMap((line, row) =>
      line
        .trim()
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((text, column) => ({
          row,
          column,
          rowSpan: 1,
          columnSpan: 1,
          text: text.replaceAll('\\|', '|').replace(/<br\s*\/?>/g, ' '),
        })),
    ),
  );
}

interface Pdfjs {
  getDocument(options: object): { promise: Promise<PdfjsDocument>; destroy(): Promise<void> };
}
interface PdfjsDocument {
  numPages: number;
  getPage(
    number: number,
  ): Promise<{ getTextContent(): Promise<{ items: { str?: string; hasEOL?: boolean }[] }>; cleanup(): void }>;
}

async function loadPdfjs(): Promise<Engine> {
  const { getDocument } = (await load('pdfjs-dist/legacy/build/pdf.mjs')) as Pdfjs;
  const folder = new URL('../', import.meta.resolve('pdfjs-dist/build/pdf.mjs')).pathname;
  return {
    async texts(bytes) {
      const options = {
        cMapUrl: `${folder}cmaps/`,
        cMapPacked: true,
        standardFontDataUrl: `${folder}standard_fonts/`,
        verbosity: 0,
      };
      const task = getDocument({ data: new Uint8Array(bytes), ...options });
      try {
        const document = await task.promise;
        const texts: string[] = [];
        for (let number = 1; number <= document.numPages; number++) {
          const page = await document.getPage(number);
          const { items } = await page.getTextContent();
          texts.push(items.map(({ str = '', hasEOL }) => (hasEOL === true ? `${str}\n` : str)).join(''));
          page.cleanup();
        }
        return texts;
      } finally {
        await task.destroy();
      }
    },
  };
}
