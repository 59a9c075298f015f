import { expect, onTestFinished, test } from 'vitest';
import { sleep } from '#kit/base/streams.ts';
import { createPrepareThreads } from './prepare-threads.ts';

test('reads no further ahead than a few batches while its caller is busy', async () => {
  const line = Buffer.from(`${JSON.stringify({ text: 'A parcel is sent again if it is lost. '.repeat(20) })}\n`);
  const lineCount = 60_000;
  const sizeBytes = line.byteLength * lineCount;
  let readBytes = 0;
  const read = async (offset: number, wanted: number) => {
    const size = Math.min(wanted, sizeBytes - offset);
    readBytes += size;
    return Buffer.alloc(
      size,
      Buffer.concat([line.subarray(offset % line.byteLength), line]).subarray(0, line.byteLength),
    );
  };
  const threads = createPrepareThreads({ memoryBytes: 1 << 30, stallMs: 60_000, totalMs: 60_000 });
  onTestFinished(() => threads.close());
  const file = { path: 'a.jsonl', mediaType: '', offset: 0, sizeBytes, groups: [], attributes: {} };
  const options = { targetTokens: 320, overlapTokens: 40, embeddingModel: 'none', dimensions: 4 };
  const signal = AbortSignal.timeout(60_000);
  let documentCount = 0;
  for await (const batch of threads.prepare({ upload: { files: [file], read }, options }, signal)) {
    documentCount += batch.documents.length;
    await sleep(700);
    break;
  }
  expect(documentCount).toBeGreaterThan(0);
  expect(sizeBytes).toBeGreaterThan(40 << 20);
  // Bytes are read in windows of 8 MiB.
  expect(readBytes).toBe(8 << 20);
});
