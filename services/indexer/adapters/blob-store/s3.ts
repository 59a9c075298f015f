import { Readable } from 'node:stream';
import type { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { BlobStore, BlobStoreDeps } from '../../uploads/blob-store.ts';
import { breakingBlobs } from '../../uploads/breaking-blobs.ts';

const settings = {
  bucket: z.string().min(3).max(63),
  prefix: z.string().max(512).describe('First part of the keys').default('ragmesh/uploads/'),
  endpoint: z.string().describe('URL of an S3-compatible server. Empty: that of AWS in the region').default(''),
  region: z.string().min(1).default('us-east-1'),
  path_style: z.boolean().describe('Whether the bucket is in the path, not in the host name').default(false),
  access_key_id: z
    .string()
    .describe('Empty: the usual chain of the AWS SDK (environment, profile, role of the pod or machine)')
    .default(''),
  secret_access_key: secret().default(''),
  part_bytes: z
    .int()
    .min(5 << 20)
    .max(512 << 20)
    .describe('Size of a part of a multipart upload; two are in memory for each upload in flight')
    .default(8 << 20),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of one request').default(30_000),
  max_attempts: z.int().min(1).max(10).describe('Attempts of one request').default(3),
};

type Sdk = typeof import('@aws-sdk/client-s3');
type Storage = typeof import('@aws-sdk/lib-storage');

function createStore(
  sdk: Sdk,
  { Upload }: Storage,
  client: S3Client,
  { bucket, prefix, part_bytes, timeout_ms }: Settings<typeof settings>,
): BlobStore {
  const within = (signal?: AbortSignal) => {
    const limit = AbortSignal.timeout(timeout_ms);
    return { abortSignal: signal === undefined ? limit : AbortSignal.any([signal, limit]) };
  };
  const to = (name: string) => ({ Bucket: bucket, Key: prefix + name });
  /** Returns multipart uploads that have not ended, the first thousand. */
  const unfinishedOf = async (start: string, signal?: AbortSignal) => {
    const command = new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: start });
    return (await client.send(command, within(signal))).Uploads ?? [];
  };
  return {
    async write(name, bytes, signal) {
      let failure: { error: unknown } | undefined;
      const source = async function* () {
        try {
          yield* bytes;
        } catch (error) {
          failure = { error };
          throw error;
        }
      };
      const upload = new Upload({
        client,
        // The server compares each part with its checksum before it takes it.
        params: { ...to(name), Body: Readable.from(source(), { objectMode: false }), ChecksumAlgorithm: 'SHA256' },
        partSize: part_bytes,
        queueSize: 2,
      });
      const abort = () => void upload.abort();
      signal.addEventListener('abort', abort, { once: true });
      try {
        signal.throwIfAborted();
        await upload.done();
      } catch (error) {
        if (failure !== undefined) throw failure.error;
        signal.throwIfAborted();
        throw toStoreError(error);
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },

    async read(name, offset, sizeBytes, signal) {
      if (sizeBytes === 0) return new Uint8Array();
      try {
        const range = `bytes=${offset}-${offset + sizeBytes - 1}`;
        const limits = within(signal);
        const { Body } = await client.send(new sdk.GetObjectCommand({ ...to(name), Range: range }), limits);
        const bytes = await Body?.transformToByteArray();
        return bytes ?? new Uint8Array();
      } catch (error) {
        signal.throwIfAborted();
        const status = statusOf(error);
        if (status === 404) return undefined;
        // Nothing is at or after the offset.
        if (status === 416) return new Uint8Array();
        throw toStoreError(error);
      }
    },

    async remove(name) {
      try {
        await client.send(new sdk.DeleteObjectCommand(to(name)), within());
        for (const { Key, UploadId } of await unfinishedOf(prefix + name)) {
          if (Key !== prefix + name) continue;
          await client.send(new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }), within());
        }
      } catch (error) {
        if (statusOf(error) !== 404) throw toStoreError(error);
      }
    },

    async *list(signal) {
      try {
        let token: string | undefined;
        do {
          const command = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token });
          const page = await client.send(command, within(signal));
          for (const { Key = '', LastModified } of page.Contents ?? []) {
            yield { name: Key.slice(prefix.length), writtenAtMs: LastModified?.getTime() ?? 0 };
          }
          token = page.IsTruncated ? page.NextContinuationToken : undefined;
        } while (token !== undefined);
        for (const { Key = '', Initiated } of await unfinishedOf(prefix, signal)) {
          yield { name: Key.slice(prefix.length), writtenAtMs: Initiated?.getTime() ?? 0 };
        }
      } catch (error) {
        signal.throwIfAborted();
        throw toStoreError(error);
      }
    },

    close: async () => client.destroy(),
  };
}

const statusOf = (error: unknown) => (error as S3ServiceException).$metadata?.httpStatusCode;

function toStoreError(error: unknown): Error {
  const { name = 'Error' } = error as Error;
  const status = statusOf(error);
  const what = status === undefined ? name : `${status} ${name}`;
  return unavailable('blob_store', `the object store does not work (${what}): check its bucket and credentials`, error);
}

async function load(path: string): Promise<[Sdk, Storage]> {
  try {
    return await Promise.all([import('@aws-sdk/client-s3'), import('@aws-sdk/lib-storage')]);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const packages = '@aws-sdk/client-s3 @aws-sdk/lib-storage';
    throw new ConfigError(
      `${path}.adapter`,
      `needs packages: npm install --no-save --save-prod --omit=dev ${packages}`,
    );
  }
}

/** Keeps blobs in a bucket of S3 or of a compatible server. */
export const adapter = defineAdapter({
  settings,
  async create(given, { path, breakers }: BlobStoreDeps) {
    const { endpoint, region, path_style, access_key_id, secret_access_key, timeout_ms, max_attempts } = given;
    if ((access_key_id === '') !== (secret_access_key === '')) {
      throw new ConfigError(
        `${path}.settings.access_key_id`,
        'and secret_access_key belong together: set both or none',
      );
    }
    const [sdk, storage] = await load(path);
    const client = new sdk.S3Client({
      region,
      forcePathStyle: path_style,
      maxAttempts: max_attempts,
      requestHandler: {
        connectionTimeout: Math.min(5000, timeout_ms),
        requestTimeout: timeout_ms,
        throwOnRequestTimeout: true,
      },
      ...(endpoint !== '' && { endpoint }),
      ...(access_key_id !== '' && {
        credentials: { accessKeyId: access_key_id, secretAccessKey: secret_access_key },
      }),
    });
    return breakingBlobs(createStore(sdk, storage, client, given), breakers('blob_store'));
  },
});
