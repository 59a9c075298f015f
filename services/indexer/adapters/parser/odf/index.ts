import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../../parse/blocks.ts';
import { readWhole } from '../../../parse/decode.ts';
import { noted, type Parser, UnreadableError } from '../../../parse/parser.ts';
import { parseSheets } from '../../../parse/table/sheet.ts';
import { firstHeading, parseWhole } from '../../../parse/whole-document.ts';
import { childOf, childrenOf, findAll, readRoot, textOf, type XmlElement } from '../../../parse/xml/read-xml.ts';
import { encrypted, openZip, type ZipArchive, zipMax } from '../../../parse/zip/open-zip.ts';
import { readSheets } from './sheets.ts';
import { createOdfReader } from './text.ts';

const parser: Parser = {
  mediaTypes: [
    'application/vnd.oasis.opendocument.text',
    'application/vnd.oasis.opendocument.spreadsheet',
    'application/vnd.oasis.opendocument.presentation',
  ],
  endings: ['.odt', '.ods', '.odp', '.ott', '.ots', '.otp'],
  // A spreadsheet can be a list of questions and answers.
  isList: true,
  isolation: 'process',
  async *parse(file, bytes) {
    const zip = await openZip(await readWhole(bytes, zipMax.bytes));
    await refuseEncrypted(zip);
    const content = await rootOf(zip, 'content.xml');
    const body = childOf(content, 'office:body');
    if (content === undefined || body === undefined)
      throw new UnreadableError('is not an OpenDocument file: save it again');
    const values = await readProperties(zip);
    const [kind] = childrenOf(body);
    if (kind?.name === 'office:spreadsheet') {
      const { sheets, counts } = readSheets(kind, content);
      yield* parseSheets(file, sheets, values, counts);
      return;
    }
    const builder = createTextBuilder();
    const reader = createOdfReader(builder, [content, await rootOf(zip, 'styles.xml')]);
    if (kind?.name === 'office:presentation') reader.addSlides(kind);
    else if (kind !== undefined) reader.addText(kind);
    const { text, blocks } = builder.finish();
    const { title, ...others } = values;
    yield* parseWhole(file, { text, blocks, values: others, title: firstHeading(blocks) || title });
    if (reader.hiddenCount() > 0) {
      yield noted(
        NoteKind.HIDDEN_SKIPPED,
        reader.hiddenCount(),
        'hidden slides and text were left out: show them to index them',
      );
    }
  },
};

async function rootOf(zip: ZipArchive, name: string): Promise<XmlElement | undefined> {
  const entry = zip.find(name);
  return entry === undefined ? undefined : readRoot(zip.stream(entry));
}

/** The files of an encrypted document look like any others; only the manifest says it. */
async function refuseEncrypted(zip: ZipArchive): Promise<void> {
  const manifest = await rootOf(zip, 'META-INF/manifest.xml');
  if (manifest === undefined) return;
  for (const _ of findAll(manifest, 'manifest:encryption-data')) throw encrypted();
}

const metaNames: Readonly<Record<string, string>> = {
  'dc:title': 'title',
  'dc:language': 'language',
  'dc:creator': 'author',
  'dc:date': 'updated',
  'meta:keyword': 'keywords',
};

async function readProperties(zip: ZipArchive): Promise<Record<string, string>> {
  const properties: Record<string, string> = {};
  const meta = childOf(await rootOf(zip, 'meta.xml'), 'office:meta');
  for (const element of meta === undefined ? [] : childrenOf(meta)) {
    const name = element.name === 'meta:user-defined' ? element.attributes['meta:name'] : metaNames[element.name];
    if (name !== undefined) properties[name] = textOf(element).trim();
  }
  return properties;
}

/** Reads OpenDocument texts, spreadsheets and presentations. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
