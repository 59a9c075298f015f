import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition } from '#kit/base/errors.ts';
import { invalidReply } from '#kit/http/failure.ts';

/** A vector as a provider sends it, not yet believed. */
export interface RawVector {
  /** Which text it is of; left out by providers that answer in the order of the texts. */
  index?: unknown;
  /** Numbers, or base64 of little-endian float32. A `Float32Array` is taken over, and changed. */
  embedding: unknown;
}

/** What a reply must hold. */
export interface ExpectedVectors {
  /** Who sent it, for errors. */
  dependency: string;
  count: number;
  dimensions: number;
  /** Whether each vector names its text by `index`. */
  indexed: boolean;
}

/**
 * The vectors of a reply in the order of the texts, each of length 1. A vector that is missing, repeated, out of range, of another
 * dimension, not of finite numbers or all zeros is an error, never a guess: one wrong vector would make a passage unfindable in silence.
 */
export function readVectors(rows: unknown, expected: ExpectedVectors): Float32Array[] {
  const { dependency, count, indexed } = expected;
  const broken = (problem: string) => invalidReply(dependency, problem);
  if (!Array.isArray(rows)) throw broken('it has no list of vectors');
  if (rows.length !== count) throw broken(`it has ${rows.length} vectors for ${count} texts`);
  const vectors = new Array<Float32Array | undefined>(count);
  for (const [place, row] of (rows as RawVector[]).entries()) {
    const index = indexed ? row?.index : place;
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= count) {
      throw broken(`vector ${place} is of no text that was sent (index ${JSON.stringify(index)?.slice(0, 20)})`);
    }
    if (vectors[index as number] !== undefined) throw broken(`text ${index} has two vectors`);
    vectors[index as number] = readVector(row?.embedding, index as number, expected);
  }
  return vectors as Float32Array[];
}

function readVector(embedding: unknown, index: number, { dependency, dimensions }: ExpectedVectors): Float32Array {
  const broken = (problem: string) => invalidReply(dependency, problem);
  let vector: Float32Array;
  if (typeof embedding === 'string') {
    const bytes = Buffer.from(embedding, 'base64');
    if (bytes.byteLength % 4 !== 0) throw broken(`vector ${index} is no base64 of float32`);
    // Bytes of a Buffer may start anywhere; float32 must start at a multiple of four.
    vector = new Float32Array(new Uint8Array(bytes).buffer);
  } else if (embedding instanceof Float32Array) {
    vector = embedding;
  } else if (Array.isArray(embedding)) {
    if (!embedding.every((value) => typeof value === 'number')) throw broken(`vector ${index} holds what is no number`);
    vector = Float32Array.from(embedding as number[]);
  } else if (typeof embedding === 'object' && embedding !== null) {
    const message = `${dependency} gives sparse vectors for this model, and an index takes dense ones: choose another model`;
    throw failedPrecondition(ErrorReason.PROVIDER_REFUSED, message, { metadata: { dependency } });
  } else {
    throw broken(`text ${index} has no vector`);
  }
  if (vector.length !== dimensions) {
    throw broken(
      `a vector has ${vector.length} dimensions, and ${dimensions} are configured: check dimensions and model`,
    );
  }
  return toUnitLength(vector) ?? fail(broken(`vector ${index} has no direction (zeros, or not finite)`));
}

function fail(error: Error): never {
  throw error;
}

/** Scales a vector to length 1, in place, and returns it; `undefined` if it is all zeros. */
export function toUnitLength(vector: Float32Array): Float32Array | undefined {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (!Number.isFinite(squares) || squares === 0) return undefined;
  const scale = 1 / Math.sqrt(squares);
  for (let index = 0; index < vector.length; index++) vector[index] = (vector[index] as number) * scale;
  return vector;
}
