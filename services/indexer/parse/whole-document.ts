import type { Block } from './blocks.ts';
import { stemOf } from './file-name.ts';
import { draftSkipped, notesOn, readMetadata } from './metadata/metadata.ts';
import type { Parsed, SourceFile } from './parser.ts';

/** What a file says about itself and its text. */
export interface WholeDocument {
  text: string;
  blocks: readonly Block[];
  /** Front matter or properties, by name. */
  values: Readonly<Record<string, unknown>>;
  /** Title if the values have none: the first heading of the document, else a name that its program gave it. */
  title?: string | undefined;
}

/** Yields a file as one document: its id is the path. A draft is only noted. */
export function* parseWhole(file: SourceFile, { text, blocks, values, title }: WholeDocument): Iterable<Parsed> {
  const metadata = readMetadata(values);
  if (metadata.isDraft) {
    yield draftSkipped(file.path);
    return;
  }
  yield* notesOn(metadata);
  const { url, language, groups, attributes, updatedAtMs } = metadata;
  const document = {
    documentId: file.path,
    isPlaced: false,
    line: 0,
    title: metadata.title || title || stemOf(file.path),
    url,
    language,
    groups,
    attributes,
    updatedAtMs,
    text,
    blocks,
  };
  yield { kind: 'document', document };
}

/** Returns the words of the outermost first heading; `undefined` without a heading. */
export function firstHeading(blocks: readonly Block[]): string | undefined {
  const headings = blocks.filter(({ kind }) => kind === 'heading');
  return (headings.find(({ level }) => level === 1) ?? headings[0])?.heading;
}
