import { type Breaker, isFailureOfDependency } from '#kit/breaker/breaker.ts';
import type { BlobStore } from './blob-store.ts';

/**
 * Returns the store with a breaker around its requests, for a store that is a server: one that hangs costs one request its time, and not
 * every upload and job. A write takes as long as its caller sends, so its silence says nothing; how it ends does.
 */
export function breakingBlobs(store: BlobStore, breaker: Breaker): BlobStore {
  return {
    ...store,
    async write(name, bytes, signal) {
      const call = breaker.watch('write');
      let isOfCaller = false;
      const source = async function* () {
        try {
          yield* bytes;
        } catch (error) {
          isOfCaller = true;
          throw error;
        }
      };
      try {
        await store.write(name, source(), signal);
        call.heard();
      } catch (error) {
        if (!isOfCaller && !signal.aborted && isFailureOfDependency(error)) call.failed();
        throw error;
      }
    },
    read: (name, offset, sizeBytes, signal) =>
      breaker.run((ends) => store.read(name, offset, sizeBytes, ends), { signals: [signal] }),
    remove: (name) => breaker.run(() => store.remove(name), {}),
  };
}
