import { createRequire } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import {
  collectVectors,
  denseVectors,
  eachVector,
  filtersOf,
  growVectors,
  openVectors,
  type Vectors,
  vectorOf,
} from '../../../services/retrieval/testing/vectors.ts';
import { embedSample } from '../../e2e/testing/sample-vectors.ts';
import type { VectorFigures } from './vectors.ts';

// Measures searches of vectors in memory. Arguments: the kind of vectors, and their count.

const [kind, wanted] = process.argv.slice(2);
const count = Number(wanted);
const searchCount = 200;
const limit = 50;
/** Copies that are not larger are also searched by sqlite-vec. */
const largestInSqlite = 20_000;

const { questions, dimensions, makeVectors } = kind === 'dense' ? dense() : await hashing();
const asked = [...eachVector(questions)];
let madeMs = 0;
const bytesBefore = process.memoryUsage().rss;
const startedAt = process.cpuUsage();
const search = openVectors(count, dimensions, inBatches(makeVectors()));
const buildCpuSeconds = (cpuMsSince(startedAt) - madeMs) / 1000;
const addedGb = (process.memoryUsage().rss - bytesBefore) / 1e9;
const cpuMs: Record<string, number> = {};
for (const [name, passes] of Object.entries(filtersOf(count, 5))) {
  cpuMs[name] = cpuOf(searchCount, (question) => search.nearest(question, passes, limit));
}
const figures: VectorFigures = {
  cpuMs,
  sqliteCpuMs: kind === 'hashing' && count <= largestInSqlite ? inSqlite() : undefined,
  buildCpuSeconds,
  addedGb,
};
process.send?.(figures, () => process.exit(0));

interface Source {
  questions: Vectors;
  dimensions: number;
  makeVectors(): Iterable<Float32Array>;
}

function dense(): Source {
  const questions = denseVectors(60, 384, 2);
  return { questions, dimensions: 384, makeVectors: () => eachVector(denseVectors(count, 384, 2)) };
}

async function hashing(): Promise<Source> {
  const { passages, questions } = await embedSample();
  return { questions, dimensions: passages.dimensions, makeVectors: () => growVectors(passages, count, 3) };
}

// Makes vectors in batches, so that the clock of the build does not count them.
function* inBatches(vectors: Iterable<Float32Array>): Generator<Float32Array> {
  const source = vectors[Symbol.iterator]();
  const batch = collectVectors(dimensions, 2000, []);
  for (let start = 0; start < count; start += 2000) {
    const size = Math.min(2000, count - start);
    const from = process.cpuUsage();
    for (let index = 0; index < size; index++) vectorOf(batch, index).set(source.next().value);
    madeMs += cpuMsSince(from);
    for (let index = 0; index < size; index++) yield vectorOf(batch, index);
  }
}

function cpuMsSince(from: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000;
}

function cpuOf(rounds: number, run: (question: Float32Array) => unknown): number {
  for (const question of asked.slice(0, 10)) run(question);
  const from = process.cpuUsage();
  for (let round = 0; round < rounds; round++) run(asked[round % asked.length] as Float32Array);
  return cpuMsSince(from) / rounds;
}

function inSqlite(): number {
  const db = new DatabaseSync(':memory:', { allowExtension: true });
  db.loadExtension((createRequire(import.meta.url)('sqlite-vec') as { getLoadablePath(): string }).getLoadablePath());
  const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
  db.exec(`CREATE VIRTUAL TABLE near USING vec0(embedding FLOAT[${dimensions}])`);
  const insert = db.prepare('INSERT INTO near (embedding) VALUES (?)');
  for (const vector of makeVectors()) insert.run(bytesOf(vector));
  const find = db.prepare('SELECT rowid, distance FROM near WHERE embedding MATCH ? AND k = ?');
  return cpuOf(60, (question) => find.all(bytesOf(question), BigInt(limit)));
}
