import { CommandError } from '../../command.ts';
import type { ExportSink } from './sink.ts';

/** What the export needs of a blob store: whole blobs that never change. */
export interface BlobTarget {
  write(name: string, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  read(name: string, offset: number, sizeBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  remove(name: string): Promise<void>;
  list(signal: AbortSignal): AsyncIterable<{ name: string }>;
  close(): Promise<void>;
}

const blobName = /^(\d{16})-(\d{16})\.jsonl$/;

/**
 * Opens a store of blobs. Each batch is a blob that is named by its first and last sequence, and appears whole or not at all: the names are the
 * cursor. `after` is the cursor of an empty store.
 */
export function openBlobSink(store: BlobTarget, after: number): ExportSink {
  return {
    async resume() {
      const { signal } = new AbortController();
      const ranges: { name: string; first: number; last: number }[] = [];
      for await (const { name } of store.list(signal)) {
        const match = blobName.exec(name);
        if (match !== null) ranges.push({ name, first: Number(match[1]), last: Number(match[2]) });
      }
      ranges.sort((a, b) => a.first - b.first || a.last - b.last);
      let sequence = after;
      for (const [index, { name, first, last }] of ranges.entries()) {
        // The latest may be a write that has not ended.
        const isWhole = index < ranges.length - 1 || (await store.read(name, 0, 1, signal)) !== undefined;
        if (!isWhole) {
          await store.remove(name);
          continue;
        }
        if (first <= sequence && index > 0)
          throw new CommandError(`${name} overlaps another blob: two exports have written there`);
        sequence = last;
      }
      return { sequence };
    },
    write({ after: before, last, lines }, signal) {
      const name = `${digits(before + 1)}-${digits(last)}.jsonl`;
      const bytes = async function* () {
        yield Buffer.from(lines.map((line) => `${line}\n`).join(''));
      };
      return store.write(name, bytes(), signal);
    },
    close: () => store.close(),
  };
}

const digits = (sequence: number) => String(sequence).padStart(16, '0');
