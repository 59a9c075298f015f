import type { Document } from 'domhandler';
import { parseDocument } from 'htmlparser2';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../parse/blocks.ts';
import { readText } from '../../parse/decode.ts';
import { stemOf } from '../../parse/file-name.ts';
import { addBlocks } from '../../parse/html/blocks.ts';
import { elementsOf, mainPartOf, wordsOf } from '../../parse/html/page.ts';
import { readMetadata } from '../../parse/metadata/metadata.ts';
import type { Parser } from '../../parse/parser.ts';

const parser: Parser = {
  mediaTypes: ['text/html', 'application/xhtml+xml'],
  endings: ['.html', '.htm', '.xhtml'],
  isList: false,
  async *parse(file, parts) {
    const read = await readText(file, parts, charsetOf);
    yield* read.notes;
    const document = parseDocument(read.text);
    const { text, blocks } = readBlocks(document);
    const { title, url, language, updated } = readHead(document);
    const heading = blocks.find(({ kind, level }) => kind === 'heading' && level === 1)?.heading;
    const { updatedAtMs } = readMetadata({ updated });
    yield {
      kind: 'document',
      document: {
        documentId: file.path,
        isPlaced: false,
        line: 0,
        title: heading || title || stemOf(file.path),
        url,
        language,
        groups: undefined,
        attributes: {},
        updatedAtMs,
        text,
        blocks,
      },
    };
  },
};

function charsetOf(head: string): string | undefined {
  return /<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1];
}

function readBlocks(document: Document) {
  const { part, isMarked } = mainPartOf(document);
  const builder = createTextBuilder();
  addBlocks(builder, part, { byName: !isMarked, forms: true });
  const strict = builder.finish();
  if (strict.blocks.length > 0) return strict;
  // The whole page is a form or a "sidebar": too much text is better than none.
  const lenient = createTextBuilder();
  addBlocks(lenient, document, { byName: false, forms: false });
  return lenient.finish();
}

function readHead(document: Document) {
  const head = { title: '', url: '', language: '', updated: '' };
  for (const { name, attribs, children } of elementsOf(document)) {
    if (name === 'html') head.language = attribs.lang ?? '';
    if (name === 'title') head.title ||= wordsOf({ children } as never, { byName: false, forms: false });
    if (name === 'link' && attribs.rel === 'canonical') head.url ||= attribs.href ?? '';
    if (name === 'meta' && attribs.property === 'og:url') head.url ||= attribs.content ?? '';
    if (name === 'meta' && attribs.property === 'article:modified_time') head.updated ||= attribs.content ?? '';
  }
  return head;
}

/** Reads HTML as one document, without the parts that every page of a site repeats. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
