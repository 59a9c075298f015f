import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from '@bufbuild/protobuf';
import { type JudgedQuery, JudgedQuerySchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { CommandError } from '../command.ts';

const deployments = fileURLToPath(new URL('../../../deployments', import.meta.url));

/** Judged questions, and the documents that answer them. */
export interface EvaluationSet {
  name: string;
  /** Files and folders of its documents. */
  documents: readonly string[];
  queries: JudgedQuery[];
  /** File of its terms; `undefined` without any. */
  terms: string | undefined;
}

/** The sample knowledge base with its questions. */
export const sampleFolder = join(deployments, 'sample-gold');

/** Reads a data set: a folder with queries.jsonl, qrels.tsv and, unless `documents` names others, corpus.jsonl. */
export function readEvaluationSet(folder: string, documents: readonly string[]): EvaluationSet {
  const isSample = resolve(folder) === resolve(sampleFolder);
  const own = isSample ? join(deployments, 'sample') : join(folder, 'corpus.jsonl');
  return {
    name: basename(resolve(folder)),
    documents: documents.length > 0 ? documents : [own],
    queries: readQueries(folder),
    terms: isSample ? join(deployments, 'sample-terms.json') : undefined,
  };
}

function readQueries(folder: string): JudgedQuery[] {
  const queries = new Map<string, JudgedQuery>();
  for (const line of readLines(join(folder, 'queries.jsonl'))) {
    const { id, text } = JSON.parse(line) as { id: string; text: string };
    queries.set(id, create(JudgedQuerySchema, { queryId: id, text }));
  }
  for (const line of readLines(join(folder, 'qrels.tsv'))) {
    const [queryId = '', documentId = '', grade = '0'] = line.split('\t');
    queries.get(queryId)?.judgements.push({
      $typeName: 'ragmesh.evaluation.v1.Judgement',
      documentId,
      grade: Number(grade),
    });
  }
  return [...queries.values()].filter(({ judgements }) => judgements.length > 0);
}

function readLines(path: string): string[] {
  if (!existsSync(path)) {
    throw new CommandError(`${path} does not exist: a data set has corpus.jsonl, queries.jsonl and qrels.tsv`);
  }
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
