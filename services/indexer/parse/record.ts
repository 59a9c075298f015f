import { blocksOfText } from './blocks-of-text.ts';
import { expandTables } from './expand-tables.ts';
import { draftSkipped, notesOn, readMetadata } from './metadata/metadata.ts';
import { textNames } from './metadata/names.ts';
import { type Parsed, UnreadableError } from './parser.ts';

/**
 * Returns what a record (a row, a line) is: a document, or a failure if it has no text, and notes. `place` is the id if the record has
 * none.
 */
export function parseRecord(values: Readonly<Record<string, unknown>>, place: string, line: number): Parsed[] {
  const metadata = readMetadata(values);
  const { id, title, text: written, similar, url, language, groups, updatedAtMs, attributes } = metadata;
  if (metadata.isDraft) return [draftSkipped(line)];
  const documentId = id || place;
  const answer = expandTables(written);
  if (answer.trim() === '') {
    const failure = new UnreadableError(`has no text: give one of ${textNames.join(', ')}`);
    return [{ kind: 'failure', failure: { line, reason: failure.reason, message: failure.message, documentId } }];
  }
  // Other wordings of the question precede its one answer, so that a search for any of them finds it.
  const text = similar.length === 0 ? answer : `${similar.join('\n')}\n\n${answer}`;
  const document = {
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
  };
  return [...notesOn(metadata, line), { kind: 'document', document }];
}
