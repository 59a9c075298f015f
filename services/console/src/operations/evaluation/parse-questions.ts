/** A question with the documents that answer it. */
export interface Question {
  queryId: string;
  text: string;
  judgements: { documentId: string; grade: number }[];
}

/** A line that is no question. */
export class BadLineError extends Error {
  readonly line: number;
  constructor(line: number) {
    super(`line ${line} is not a question`);
    this.line = line;
  }
}

/** Most questions of a file: the limit of a data set. */
const maxQuestions = 50_000;

/**
 * Reads questions from lines of JSON with the members `id`, `text` and `documents`: an object of grades (0 to 10) by document, or a list of
 * documents. Throws {@link BadLineError}.
 */
export function parseQuestions(text: string): Question[] {
  const questions = text.split('\n').flatMap((line, at) => (line.trim() === '' ? [] : [parseLine(line, at + 1)]));
  if (questions.length > maxQuestions) throw new BadLineError(maxQuestions + 1);
  return questions;
}

function parseLine(line: string, number: number): Question {
  const value = toObject(line);
  if (value === undefined) throw new BadLineError(number);
  const { id, text, documents } = value;
  const grades: [string, unknown][] = Array.isArray(documents)
    ? documents.map((document) => [String(document), 1])
    : typeof documents === 'object' && documents !== null
      ? Object.entries(documents)
      : [];
  const judgements = grades.map(([documentId, grade]) => ({ documentId, grade: Number(grade) }));
  const isWhole = typeof id === 'string' && id !== '' && typeof text === 'string' && text !== '';
  const isGraded = judgements.every(({ grade }) => Number.isInteger(grade) && grade >= 0 && grade <= 10);
  if (!isWhole || !isGraded) throw new BadLineError(number);
  return { queryId: id, text, judgements };
}

function toObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
