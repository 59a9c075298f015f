import type { Document } from 'domhandler';
import { parseDocument } from 'htmlparser2';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../parse/blocks.ts';
import { readText } from '../../parse/decode.ts';
import { addBlocks } from '../../parse/html/blocks.ts';
import { mainPartOf, wordsOf } from '../../parse/html/page.ts';
import { elementsOf } from '../../parse/html/tree.ts';
import { createPageView, type PageView } from '../../parse/html/view.ts';
import { noted, type Parsed, type Parser } from '../../parse/parser.ts';
import { parseWhole } from '../../parse/whole-document.ts';

const parser: Parser = {
  mediaTypes: ['text/html', 'application/xhtml+xml'],
  endings: ['.html', '.htm', '.xhtml'],
  isList: false,
  async *parse(file, parts) {
    const read = await readText(file, parts, charsetOf);
    yield* read.notes;
    const document = parseDocument(read.text);
    const { text, blocks, view } = readBlocks(document);
    const { title, url, language, updated } = readHead(document);
    const heading = blocks.find(({ kind, level }) => kind === 'heading' && level === 1)?.heading;
    yield* parseWhole(file, { text, blocks, values: { url, language, updated }, title: heading || title });
    yield* notesOn(view);
  },
};

function charsetOf(head: string): string | undefined {
  return /<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1];
}

function readBlocks(document: Document) {
  const { part, isMarked } = mainPartOf(document);
  const builder = createTextBuilder();
  const view = createPageView(document, { isMain: isMarked });
  addBlocks(builder, part, view);
  const strict = builder.finish();
  if (strict.blocks.length > 0) return { ...strict, view };
  // All of the page is named like boilerplate: too much text is better than none.
  const lenient = createTextBuilder();
  const all = createPageView(document, { isMain: false, keepsAll: true });
  addBlocks(lenient, document, all);
  return { ...lenient.finish(), view: all };
}

function* notesOn(view: PageView): Iterable<Parsed> {
  const { hidden, boilerplate } = view.counts();
  if (hidden > 0) yield noted(NoteKind.HIDDEN_SKIPPED, hidden, 'text that no reader of the page sees was left out');
  if (boilerplate > 0) {
    const message =
      'parts that every page repeats were left out: mark the content with <main> if some of it is missing';
    yield noted(NoteKind.BOILERPLATE_SKIPPED, boilerplate, message);
  }
}

function readHead(document: Document) {
  const head = { title: '', url: '', language: '', updated: '' };
  for (const { name, attribs, children } of elementsOf(document)) {
    if (name === 'html') head.language = attribs.lang ?? '';
    if (name === 'title') head.title ||= wordsOf({ children } as never, undefined);
    if (name === 'link' && attribs.rel === 'canonical') head.url ||= attribs.href ?? '';
    if (name === 'meta' && attribs.property === 'og:url') head.url ||= attribs.content ?? '';
    if (name === 'meta' && attribs.property === 'article:modified_time') head.updated ||= attribs.content ?? '';
  }
  return head;
}

/** Reads HTML as one document, without the parts that every page of a site repeats. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
