import { blocksOfText } from './blocks-of-text.ts';
import { clip } from './clean.ts';
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
  const documentId = id || place;
  if (metadata.isDraft) return [draftSkipped(documentId, line)];
  const answer = expandTables(written);
  if (answer.trim() === '') {
    const failure = new UnreadableError(`has no text: give one of ${textNames.join(', ')}`);
    return [{ kind: 'failure', failure: { line, reason: failure.reason, message: failure.message, documentId } }];
  }
  const text = similar.length === 0 ? answer : `${headingsOf(similar)}\n\n${answer}`;
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

const headingLengthMax = 900;
const headingLevels = [2, 3, 4, 5, 6];

/**
 * Returns other wordings of a question as headings above its one answer: a search for any of them finds the answer, and what is quoted is the
 * answer and not a question.
 */
function headingsOf(questions: readonly string[]): string {
  const headings: string[] = [];
  for (const question of questions) {
    const open = headings.at(-1);
    const joined = open === undefined ? question : `${open} / ${question}`;
    if (open !== undefined && joined.length <= headingLengthMax) headings[headings.length - 1] = joined;
    else if (headings.length < headingLevels.length) headings.push(clip(question, headingLengthMax));
  }
  return headings.map((words, index) => `${'#'.repeat(headingLevels[index] as number)} ${words}`).join('\n');
}
