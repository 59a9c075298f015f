import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { type JudgedQuery, JudgedQuerySchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';

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
 * documents. Judgements of other suites are members by their names in the contract: `answer`, `earlier`, `act`, `claim`, `pair`, `personalData`.
 * Throws {@link BadLineError}.
 */
export function parseQuestions(text: string): JudgedQuery[] {
  const questions = text.split('\n').flatMap((line, at) => (line.trim() === '' ? [] : [parseLine(line, at + 1)]));
  if (questions.length > maxQuestions) throw new BadLineError(maxQuestions + 1);
  return questions;
}

function parseLine(line: string, number: number): JudgedQuery {
  const value = toObject(line);
  if (value === undefined) throw new BadLineError(number);
  const { id, documents, ...judged } = value;
  const grades: [string, unknown][] = Array.isArray(documents)
    ? documents.map((document) => [String(document), 1])
    : typeof documents === 'object' && documents !== null
      ? Object.entries(documents)
      : [];
  const judgements = grades.map(([documentId, grade]) => ({ documentId, grade: Number(grade) }));
  const isWhole = typeof id === 'string' && id !== '' && typeof judged.text === 'string' && judged.text !== '';
  const isGraded = judgements.every(({ grade }) => Number.isInteger(grade) && grade >= 0 && grade <= 10);
  if (!isWhole || !isGraded) throw new BadLineError(number);
  try {
    return fromJson(JudgedQuerySchema, { ...judged, queryId: id, judgements });
  } catch {
    throw new BadLineError(number);
  }
}

function toObject(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
