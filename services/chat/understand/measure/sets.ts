import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { CitationSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { PastTurn } from '../../answer/turn.ts';

/** A follow-up with its conversation, and what a person made of it. */
export interface FollowUp {
  readonly question: string;
  readonly turns: readonly PastTurn[];
  readonly rewrite: string;
}

/** Reads dialogue-utterance-rewriter: two utterances, the follow-up, and its rewrite, with tabs between. */
export function readRewriter(file: string): FollowUp[] {
  return linesOf(file).flatMap((line) => {
    const [first = '', second = '', question = '', rewrite = ''] = line.split('\t').filter((part) => part !== '');
    return rewrite === '' ? [] : [{ question, rewrite, turns: [{ question: first, answer: second }] }];
  });
}

/** Reads CANARD. The first two entries of a history are the title of the page and of its section. */
export function readCanard(file: string): FollowUp[] {
  const rows = JSON.parse(readFileSync(file, 'utf8')) as { History: string[]; Question: string; Rewrite: string }[];
  return rows.map(({ History: [title = '', section = '', ...said], Question: question, Rewrite: rewrite }) => {
    const citations = [create(CitationSchema, { marker: 1, title: `${title}, ${section}` })];
    const turns: PastTurn[] = [];
    for (let index = 0; index + 1 < said.length; index += 2) {
      turns.push({ question: said[index] ?? '', answer: said[index + 1] ?? '', citations });
    }
    return { question, rewrite, turns: turns.length > 0 ? turns : [{ question: title, answer: section, citations }] };
  });
}

/** Reads CAsT 2019: the turns of each topic, which have no answers, and their resolved form. */
export function readCast(folder: string): FollowUp[] {
  const resolved = new Map(
    linesOf(join(folder, 'cast19-resolved.tsv')).map((line) => line.split('\t') as [string, string]),
  );
  const topics = JSON.parse(readFileSync(join(folder, 'cast19-topics.json'), 'utf8')) as {
    number: number;
    turn: { number: number; raw_utterance: string }[];
  }[];
  return topics.flatMap(({ number, turn }) =>
    turn.slice(1).flatMap(({ number: at, raw_utterance: question }) => {
      const rewrite = resolved.get(`${number}_${at}`);
      const turns = turn
        .filter((other) => other.number < at)
        .map((other) => ({ question: other.raw_utterance, answer: '' }));
      return rewrite === undefined ? [] : [{ question, turns, rewrite }];
    }),
  );
}

/** Reads the questions of a retrieval set. */
export function readStandalone(file: string): string[] {
  return linesOf(file).map((line) => (JSON.parse(line) as { text: string }).text);
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
}
