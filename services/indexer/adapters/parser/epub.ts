import { posix } from 'node:path';
import { parseDocument } from 'htmlparser2';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../parse/blocks.ts';
import { decodeWhole, readWhole } from '../../parse/decode.ts';
import { addBlocks } from '../../parse/html/blocks.ts';
import { elementsOf } from '../../parse/html/tree.ts';
import { createPageView } from '../../parse/html/view.ts';
import { type Parser, UnreadableError } from '../../parse/parser.ts';
import { firstHeading, parseWhole } from '../../parse/whole-document.ts';
import { findAll, readRoot, textOf, type XmlElement } from '../../parse/xml/read-xml.ts';
import { encrypted, openZip, type ZipArchive, zipMax } from '../../parse/zip/open-zip.ts';

/** Metadata of books, by names of metadata. */
const metadataNames: Readonly<Record<string, string>> = {
  'dc:title': 'title',
  'dc:language': 'language',
  'dc:creator': 'author',
  'dc:date': 'updated',
  'dc:publisher': 'publisher',
};

const parser: Parser = {
  mediaTypes: ['application/epub+zip'],
  endings: ['.epub'],
  isList: false,
  isolation: 'process',
  async *parse(file, bytes) {
    const zip = await openZip(await readWhole(bytes, zipMax.bytes));
    const packagePath = await packagePathOf(zip);
    const book = await rootOf(zip, packagePath);
    if (book === undefined) throw new UnreadableError('is not a book that can be read: convert it to EPUB again');
    const chapters = spineOf(book).map((href) => posix.join(posix.dirname(packagePath), href));
    await refuseEncrypted(zip, chapters);
    const builder = createTextBuilder();
    for (const path of chapters) {
      const entry = zip.find(path);
      if (entry === undefined) continue;
      const { text } = decodeWhole(await zip.read(entry));
      const page = parseDocument(text, { xmlMode: false });
      const body = [...elementsOf(page)].find(({ name }) => name === 'body');
      addBlocks(builder, body ?? page, createPageView(page, { isMain: true }));
    }
    const { text, blocks } = builder.finish();
    const values: Record<string, string> = {};
    for (const element of findAll(book, ...Object.keys(metadataNames))) {
      values[metadataNames[element.name] as string] ??= textOf(element).trim();
    }
    yield* parseWhole(file, { text, blocks, values, title: firstHeading(blocks) });
  },
};

async function rootOf(zip: ZipArchive, path: string): Promise<XmlElement | undefined> {
  const entry = zip.find(path);
  return entry === undefined ? undefined : readRoot(zip.stream(entry));
}

async function packagePathOf(zip: ZipArchive): Promise<string> {
  const container = await rootOf(zip, 'META-INF/container.xml');
  const named = container === undefined ? undefined : [...findAll(container, 'container:rootfile')][0];
  const path = named?.attributes['full-path'] ?? zip.entries.find(({ name }) => name.endsWith('.opf'))?.name;
  if (path === undefined) throw new UnreadableError('is not a book: convert it to EPUB again');
  return path;
}

/** Returns the addresses of the chapters in the order in which they are read, which is not that of the list of files. */
function spineOf(book: XmlElement): string[] {
  const addresses = new Map<string, string>();
  for (const { attributes } of findAll(book, 'opf:item')) addresses.set(attributes.id ?? '', attributes.href ?? '');
  return [...findAll(book, 'opf:itemref')]
    .filter(({ attributes }) => attributes.linear !== 'no')
    .flatMap(({ attributes }) => addresses.get(attributes.idref ?? '') ?? [])
    .map((href) => decodeAddress(href.replace(/#.*$/, '')));
}

/** Books may have scrambled fonts, which is no hindrance; scrambled chapters are. */
async function refuseEncrypted(zip: ZipArchive, chapters: readonly string[]): Promise<void> {
  const encryption = await rootOf(zip, 'META-INF/encryption.xml');
  if (encryption === undefined) return;
  const stack = [encryption];
  for (let element = stack.pop(); element !== undefined; element = stack.pop()) {
    if (chapters.includes(decodeAddress(element.attributes.URI ?? ''))) throw encrypted();
    for (const child of element.children) if (typeof child !== 'string') stack.push(child);
  }
}

function decodeAddress(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}

/** Reads EPUB books as one document, with the chapters in the order of reading. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
