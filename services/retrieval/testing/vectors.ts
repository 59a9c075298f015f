import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { createScanEngine } from '../snapshots/vectors/scan-engine.ts';
import { openVectorSegment, type VectorSearch } from '../snapshots/vectors/vector-search.ts';
import { createVectorSegment, vectorSegmentBytes } from '../snapshots/vectors/vector-segment.ts';

// Vectors to search: dense ones as neural models give, and many like given ones; the search in memory over them.

/** Vectors of length 1, one after another. */
export interface Vectors {
  dimensions: number;
  values: Float32Array;
}

/** Returns vector `index`, not a copy. */
export function vectorOf({ dimensions, values }: Vectors, index: number): Float32Array {
  return values.subarray(index * dimensions, (index + 1) * dimensions);
}

/** Yields all vectors in order. */
export function* eachVector(vectors: Vectors): Generator<Float32Array> {
  for (let index = 0; index < vectors.values.length / vectors.dimensions; index++) yield vectorOf(vectors, index);
}

/**
 * Returns vectors that lie as those of neural models do: in families around a common mean, with cosines of .7 to .97 and every value above or
 * below 0.
 */
export function denseVectors(count: number, dimensions: number, seed: number): Vectors {
  const random = seededRandom(seed);
  const normal = () => random() + random() + random() + random() - 2;
  const direction = () => Float32Array.from({ length: dimensions }, normal);
  const mean = direction();
  const topics = Array.from({ length: Math.ceil(count / 50) }, direction);
  const values = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row++) {
    const topic = topics[Math.floor(random() * topics.length)] as Float32Array;
    const vector = values.subarray(row * dimensions, (row + 1) * dimensions);
    for (let index = 0; index < dimensions; index++) {
      vector[index] = 2 * (mean[index] as number) + 0.7 * (topic[index] as number) + 0.4 * normal();
    }
    toLength1(vector);
  }
  return { dimensions, values };
}

/** Returns all vectors of a sequence of `count`. */
export function collectVectors(dimensions: number, count: number, sequence: Iterable<Float32Array>): Vectors {
  const values = new Float32Array(count * dimensions);
  let filled = 0;
  for (const vector of sequence) values.set(vector, dimensions * filled++);
  return { dimensions, values };
}

/** Yields `count` vectors: the given ones, then mixtures of two of them with noise. A mixture is overwritten by the next one. */
export function* growVectors(vectors: Vectors, count: number, seed: number): Generator<Float32Array> {
  const { dimensions, values } = vectors;
  const random = seededRandom(seed);
  const given = values.length / dimensions;
  const mixture = new Float32Array(dimensions);
  for (let row = 0; row < count; row++) {
    if (row < given) {
      yield vectorOf(vectors, row);
      continue;
    }
    const first = (row % given) * dimensions;
    const second = Math.floor(random() * given) * dimensions;
    const weight = 0.2 + 0.6 * random();
    for (let index = 0; index < dimensions; index++) {
      const noise = 0.035 * (random() + random() + random() + random() - 2);
      mixture[index] = (values[first + index] as number) + weight * (values[second + index] as number) + noise;
    }
    toLength1(mixture);
    yield mixture;
  }
}

function toLength1(vector: Float32Array): void {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const length = Math.sqrt(sum) || 1;
  for (let index = 0; index < vector.length; index++) vector[index] = (vector[index] as number) / length;
}

/** Returns the dot products of a question with all vectors. */
export function exactScores(vectors: Vectors, question: Float32Array): Float64Array {
  return Float64Array.from(eachVector(vectors), (vector) => {
    let sum = 0;
    for (let index = 0; index < vector.length; index++) sum += (vector[index] as number) * (question[index] as number);
    return sum;
  });
}

/** Filters of searches by the share of rows that pass, at random or lying together. */
export function filtersOf(count: number, seed: number): Record<string, (position: number) => boolean> {
  const random = seededRandom(seed);
  const chances = Float32Array.from({ length: count }, random);
  const passing = (share: number) => (position: number) => (chances[position] as number) < share;
  const together = (share: number) => (position: number) => position >= count * 0.4 && position < count * (0.4 + share);
  return {
    'no filter': () => true,
    'a random 50 %': passing(0.5),
    'a random 10 %': passing(0.1),
    'a random 1 %': passing(0.01),
    '10 % that lie together': together(0.1),
    '1 % that lie together': together(0.01),
  };
}

/** Opens vectors for searches in this thread. */
export function openVectors(
  count: number,
  dimensions: number,
  vectors: Iterable<Float32Array>,
): VectorSearch & { sizeBytes: number } {
  const segment = createVectorSegment(count, dimensions, vectors);
  return { ...openVectorSegment(segment, createScanEngine()), sizeBytes: vectorSegmentBytes(segment) };
}
