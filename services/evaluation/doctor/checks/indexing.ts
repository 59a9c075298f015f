import { CheckKind, Verdict } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { type Check, figure, tooLittle } from '../check.ts';

const minWrites = 10;
const smallBatch = 8;

/** Batching of embeddings and index writes. */
export const batching: Check = {
  kind: CheckKind.BATCHING,
  judge(metrics) {
    const texts = metrics.distribution('ragmesh_embedding_batch_texts', { purpose: 'document' });
    const chunks = metrics.distribution('ragmesh_index_batch_chunks');
    if (texts.count < minWrites) return tooLittle('embedding calls for documents', texts.count, minWrites);
    const evidence = [
      figure('embedding calls for documents', texts.count),
      figure('texts a call', rounded(texts.mean)),
      figure('index writes', chunks.count),
      figure('chunks a write', rounded(chunks.mean)),
    ];
    const finding = `an embedding call for documents has ${rounded(texts.mean)} texts, an index write ${rounded(chunks.mean)} chunks`;
    if (texts.mean >= smallBatch || chunks.mean < smallBatch) return { verdict: Verdict.GOOD, finding, evidence };
    const advice = 'raise max_batch of the embedding model: index writes have more chunks than it takes at a time';
    return { verdict: Verdict.IMPROVE, finding, evidence, advice };
  },
};

const minChunks = 50;
/** Chunks below this say too little to be found and quoted, in characters. */
const shortChars = 100;
/** Chunks above this dilute what they are about, in characters. */
const longChars = 4000;
const tolerated = 0.3;

/** Lengths of chunks. */
export const chunkSizes: Check = {
  kind: CheckKind.CHUNK_SIZES,
  judge(metrics) {
    const chars = metrics.distribution('ragmesh_index_chunk_chars');
    if (chars.count < minChunks) return tooLittle('chunks', chars.count, minChunks);
    const median = chars.quantile(0.5);
    const evidence = [
      figure('chunks', chars.count),
      figure('mean', Math.round(chars.mean), 'characters'),
      figure('half have at most', median, 'characters'),
      figure('95 of 100 have at most', chars.quantile(0.95), 'characters'),
    ];
    const finding = `a chunk has ${Math.round(chars.mean)} characters on average`;
    if (chars.quantile(tolerated) <= shortChars) {
      const advice =
        'many chunks are very short: look at documents with many headings or rows, and raise the smallest size of a chunk';
      return { verdict: Verdict.IMPROVE, finding, evidence, advice };
    }
    if (chars.quantile(1 - tolerated) > longChars) {
      const advice = 'many chunks are very long: lower the size of chunks, so that a passage is about one thing';
      return { verdict: Verdict.IMPROVE, finding, evidence, advice };
    }
    return { verdict: Verdict.GOOD, finding, evidence };
  },
};

const rounded = (value: number): number => Math.round(value * 10) / 10;
