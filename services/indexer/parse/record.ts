import { blocksOfText } from './blocks-of-text.ts';
import { expandTables } from './expand-tables.ts';
import { readMetadata, textNames } from './metadata.ts';
import { type Parsed, UnreadableError } from './parser.ts';

/** Returns a record (a row, a line) as a document, or a failure if it has no text. `place` is the id if the record has none. */
export function parseRecord(values: Readonly<Record<string, unknown>>, place: string, line: number): Parsed {
  const { id, title, text: written, url, language, groups, updatedAtMs, attributes } = readMetadata(values);
  const documentId = id || place;
  const text = expandTables(written);
  if (text.trim() === '') {
    const failure = new UnreadableError(`has no text: give one of ${textNames.join(', ')}`);
    return { kind: 'failure', failure: { line, reason: failure.reason, message: failure.message, documentId } };
  }
  return {
    kind: 'document',
    document: {
      documentId,
      isPlaced: id === '',
      line,
      title: title || documentId,
      url,
      language,
      groups,
      attributes,
      updatedAtMs,
      text,
      blocks: blocksOfText(text),
    },
  };
}
