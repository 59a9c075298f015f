import { randomBytes } from 'node:crypto';
import { Code, type ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import type { BlobStore } from '../uploads/blob-store.ts';
import { createFileReader } from '../uploads/file-reader.ts';
import { createUploads, type StagedFile } from '../uploads/uploads.ts';

/** A store under test. */
export interface BlobStoreCase {
  store: BlobStore;
  /** Opens the same store a second time, as another replica does. */
  openAgain(): Promise<BlobStore>;
  /** Changes a byte of a stored blob, behind the store. */
  damage(name: string): Promise<void>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

/** The contract suite of blob stores. */
export function blobStoreSuite(name: string, create: () => Promise<BlobStoreCase>): void {
  describe(`the ${name} blob store`, () => {
    let storeCase: BlobStoreCase;
    let store: BlobStore;
    beforeAll(async () => {
      storeCase = await create();
      ({ store } = storeCase);
    });
    afterAll(() => storeCase.close());
    const parts = async function* (bytes: Uint8Array, partBytes = 100_000) {
      for (let at = 0; at < bytes.byteLength; at += partBytes) yield bytes.subarray(at, at + partBytes);
    };
    const names = async () => [...new Set((await collect(store.list(never))).map((blob) => blob.name))].sort();

    test('returns every range of what was written, also to another replica', async () => {
      const bytes = randomBytes(18_000_000);
      await store.write('a1.bytes', parts(bytes), never);
      const again = await storeCase.openAgain();
      for (const [offset, size] of [
        [0, 18_000_000],
        [17_999_999, 10],
        [8_388_600, 5000],
        [0, 1],
        [18_000_000, 5],
        [3, 0],
      ] as const) {
        const read = await again.read('a1.bytes', offset, size, never);
        expect(Buffer.from(read as Uint8Array).equals(bytes.subarray(offset, offset + size))).toBe(true);
      }
      expect(await names()).toEqual(['a1.bytes']);
      await again.remove('a1.bytes');
      await again.close();
      expect(await store.read('a1.bytes', 0, 1, never)).toBeUndefined();
      expect(await names()).toEqual([]);
    });

    test('an empty blob exists; an absent one does not, and can be removed', async () => {
      await store.write('empty.bytes', parts(new Uint8Array()), never);
      expect(await store.read('empty.bytes', 0, 100, never)).toHaveLength(0);
      expect(await store.read('absent.bytes', 0, 100, never)).toBeUndefined();
      await store.remove('empty.bytes');
      await store.remove('absent.bytes');
    });

    test.each([20_000, 20_000_000])(
      'a source that fails after %i bytes leaves nothing, and its error comes back',
      async (count) => {
        const failing = async function* () {
          yield* parts(randomBytes(count));
          throw new RangeError('cut off');
        };
        await expect(store.write('cut.bytes', failing(), never)).rejects.toThrow(RangeError);
        expect(await store.read('cut.bytes', 0, 1, never)).toBeUndefined();
        expect(await names()).toEqual([]);
      },
    );

    test('a write that is aborted leaves nothing', async () => {
      const abort = new AbortController();
      const source = async function* () {
        for (let count = 0; ; count++) {
          if (count === 120) abort.abort(new Error('left'));
          yield randomBytes(100_000);
        }
      };
      await expect(store.write('left.bytes', source(), abort.signal)).rejects.toThrow('left');
      expect(await store.read('left.bytes', 0, 1, never)).toBeUndefined();
      await store.remove('left.bytes');
      expect(await names()).toEqual([]);
    });

    test('a write in progress is listed and not readable', async () => {
      const ready = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      const source = async function* () {
        yield* parts(randomBytes(20_000_000));
        ready.resolve();
        await go.promise;
        yield randomBytes(10);
      };
      const writing = store.write('slow.bytes', source(), never);
      await ready.promise;
      await expect.poll(names, { timeout: 20_000 }).toEqual(['slow.bytes']);
      expect(await store.read('slow.bytes', 0, 1, never)).toBeUndefined();
      go.resolve();
      await writing;
      expect(await store.read('slow.bytes', 20_000_000, 100, never)).toHaveLength(10);
      await store.remove('slow.bytes');
    });

    test('lists every blob with the time of its write', async () => {
      const all = Array.from({ length: 30 }, (_, at) => `n${at}.json`).sort();
      for (const one of all) await store.write(one, parts(Buffer.from(one)), never);
      expect(await names()).toEqual(all);
      for (const { writtenAtMs } of await collect(store.list(never))) expect(writtenAtMs).toBeGreaterThan(1.6e12);
      for (const one of all) await store.remove(one);
    });

    test('an upload is found whole or not at all, and a damaged file is never read to its end', async () => {
      const uploads = createUploads(store);
      const bytes = Buffer.from('first second');
      const file = (path: string, offset: number, sizeBytes: number, sha256: string): StagedFile => {
        return { path, offset, sizeBytes, sha256, mediaType: '', groups: [], attributes: {} };
      };
      const { createHash } = await import('node:crypto');
      const sha = (text: string) => createHash('sha256').update(text).digest('hex');
      const files = [file('a', 0, 6, sha('first ')), file('b', 6, 6, sha('second'))];
      await uploads.store('j1', parts(bytes), () => files, never);
      expect(await uploads.find('other', never)).toBeUndefined();
      const read = async () => {
        const upload = await uploads.find('j1', never);
        const reader = createFileReader(async (offset, size) => {
          return (await upload?.read(offset, size, never)) ?? new Uint8Array();
        });
        const texts: string[] = [];
        for (const one of upload?.files ?? []) texts.push(Buffer.concat(await collect(reader(one))).toString());
        return texts;
      };
      expect(await read()).toEqual(['first ', 'second']);
      expect([...(await uploads.list(never)).keys()]).toEqual(['j1']);
      await storeCase.damage('j1.bytes');
      await expect(read()).rejects.toThrow('damaged');
      await storeCase.damage('j1.json');
      await expect(uploads.find('j1', never)).rejects.toSatisfy(
        (error) => (error as ConnectError).code === Code.DataLoss,
      );
      await uploads.remove('j1');
      expect(await names()).toEqual([]);
    });
  });
}
