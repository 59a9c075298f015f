import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../../parse/blocks.ts';
import { readWhole } from '../../../parse/decode.ts';
import { noted, type Parser, UnreadableError } from '../../../parse/parser.ts';
import { firstHeading, parseWhole } from '../../../parse/whole-document.ts';
import { childrenOf, findAll, readElements, readRoot, type XmlElement } from '../../../parse/xml/read-xml.ts';
import { readOfficeProperties } from '../../../parse/zip/office-properties.ts';
import { openZip, type ZipArchive, zipMax } from '../../../parse/zip/open-zip.ts';
import { createBody } from './body.ts';
import { createNumbering } from './numbering.ts';
import { readStyles } from './styles.ts';
import { readWords } from './words.ts';

const parser: Parser = {
  mediaTypes: [
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    'application/vnd.ms-word.document.macroenabled.12',
  ],
  endings: ['.docx', '.docm', '.dotx'],
  isList: false,
  isolation: 'process',
  async *parse(file, bytes) {
    const zip = await openZip(await readWhole(bytes, zipMax.bytes));
    const main = zip.find('word/document.xml') ?? zip.entries.find(({ name }) => /^word\/document\d*\.xml$/.test(name));
    if (main === undefined) throw new UnreadableError('is not a Word document: save it as .docx');
    const root = async (name: string) => {
      const entry = zip.find(name);
      return entry === undefined ? undefined : readRoot(zip.stream(entry));
    };
    const parts = {
      styles: readStyles(await root('word/styles.xml')),
      numbering: createNumbering(await root('word/numbering.xml')),
      notes: await readNotes(zip),
    };
    const builder = createTextBuilder();
    const body = createBody(builder, parts);
    for await (const element of readElements(zip.stream(main), isBlock)) body.add(element);
    const { text, blocks } = builder.finish();
    const { title, ...values } = await readOfficeProperties(zip);
    yield* parseWhole(file, { text, blocks, values, title: body.title() || firstHeading(blocks) || title });
    if (body.hiddenCount() > 0) {
      yield noted(NoteKind.HIDDEN_SKIPPED, body.hiddenCount(), 'hidden text was left out: make it visible to index it');
    }
  },
};

const isBlock = (name: string) => name === 'w:p' || name === 'w:tbl';

/** Returns the texts of footnotes and endnotes. */
async function readNotes(zip: ZipArchive): Promise<Map<string, string>> {
  const notes = new Map<string, string>();
  for (const [name, prefix] of [
    ['word/footnotes.xml', ''],
    ['word/endnotes.xml', 'endnote:'],
  ] as const) {
    const entry = zip.find(name);
    if (entry === undefined) continue;
    for (const note of childrenOf(await readRoot(zip.stream(entry)))) {
      // Notes with a type are the lines that separate notes from text.
      if (note.attributes['w:type'] === undefined) notes.set(`${prefix}${note.attributes['w:id']}`, wordsOf(note));
    }
  }
  return notes;
}

function wordsOf(note: XmlElement): string {
  return [...findAll(note, 'w:p')].map((paragraph) => readWords(paragraph).text).join('\n');
}

/** Reads Word documents. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
