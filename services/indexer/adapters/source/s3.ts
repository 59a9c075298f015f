import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { toGuardError } from '#kit/http/guard/guard.ts';
import { parseAccessRules, rulesBytesMax } from '../../sources/run/access-rules.ts';
import type { Entry, EntryAccess, Fetched, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  bucket: z.string().min(3).max(63),
  prefix: z.string().max(512).describe('First part of the keys that are read').default(''),
  endings: z
    .array(z.string().min(1).max(32))
    .max(100)
    .describe('Endings of the keys that are read. Empty: all')
    .default([]),
  endpoint: z
    .string()
    .max(512)
    .describe('URL of an S3-compatible server. Empty: that of AWS in the region')
    .default(''),
  region: z.string().min(1).max(64).default('us-east-1'),
  path_style: z.boolean().describe('Whether the bucket is in the path, not in the host name').default(false),
  access_key_id: secret().describe('Empty: requests are not signed, for public buckets').default(''),
  secret_access_key: secret().default(''),
  url_prefix: z.string().max(1024).describe('Address of an object without its key, for readers').default(''),
  access_key: z
    .string()
    .max(1024)
    .describe('With sync_permissions: key of an object that says who may see which objects; it is not a document')
    .default(''),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time of one request').default(30_000),
};

type Sdk = typeof import('@aws-sdk/client-s3');

/** Reads the objects of a bucket of S3 or of a compatible server. The key of an object is its id. */
export const adapter = defineAdapter({
  settings,
  async create(given, deps: SourceDeps): Promise<Source> {
    const sdk = await load();
    const client = await connect(sdk, given, deps);
    const { bucket, prefix, endings, url_prefix, access_key, timeout_ms } = given;
    const within = (signal: AbortSignal) => ({
      abortSignal: AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]),
    });
    const isWanted = (key: string) =>
      !key.endsWith('/') &&
      (access_key === '' || key !== access_key) &&
      (endings.length === 0 || endings.some((ending) => key.toLowerCase().endsWith(ending)));

    const list = async function* (signal: AbortSignal): AsyncIterable<Entry[]> {
      for (let token: string | undefined, isFirst = true; isFirst || token !== undefined; isFirst = false) {
        await deps.pace(signal);
        const command = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token });
        const page = await client.send(command, within(signal)).catch((error: unknown) => fail(error, signal));
        const found = (page.Contents ?? []).filter(({ Key }) => Key !== undefined && isWanted(Key));
        yield found.map(({ Key = '', ETag = '', Size = 0 }) => ({ id: Key, version: `${ETag}-${Size}` }));
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      }
    };
    const permissions = async function* (signal: AbortSignal): AsyncIterable<EntryAccess[]> {
      await deps.pace(signal);
      const range = `bytes=0-${rulesBytesMax}`;
      const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: access_key, Range: range });
      const object = await client.send(command, within(signal)).catch((error: unknown) => fail(error, signal));
      const access = parseAccessRules((await object.Body?.transformToByteArray()) ?? new Uint8Array(), 's3');
      for await (const entries of list(signal)) yield entries.map(({ id }) => access(id));
    };
    return {
      listsAll: true,
      ...(access_key !== '' && { permissions }),
      async *changes(_, signal) {
        for await (const entries of list(signal)) yield { entries };
      },
      async *ids(signal) {
        for await (const entries of list(signal)) yield entries.map(({ id }) => id);
      },
      async fetch(id, validator, signal): Promise<Fetched> {
        if (!id.startsWith(prefix) || !isWanted(id)) return { kind: 'gone' };
        await deps.pace(signal);
        const condition = validator === '' ? {} : { IfNoneMatch: validator };
        const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: id, ...condition });
        try {
          const { Body, ContentLength = 0, ContentType = '', ETag } = await client.send(command, within(signal));
          if (ContentLength > deps.maxBytes) {
            // Ends the download.
            await Body?.transformToWebStream().cancel();
            return { kind: 'gone' };
          }
          const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
          const url = url_prefix === '' ? '' : url_prefix + encodeURI(id);
          // Many clients store every object as this type.
          const mediaType = ContentType === 'binary/octet-stream' ? '' : ContentType;
          return {
            kind: 'content',
            content: { bytes, mediaType, url, ...(ETag !== undefined && { validator: ETag }) },
          };
        } catch (error) {
          const status = statusOf(error);
          if (status === 304) return { kind: 'unchanged' };
          if (status === 404) return { kind: 'gone' };
          return fail(error, signal);
        }
      },
      close: async () => client.destroy(),
    };
  },
});

async function connect(
  sdk: Sdk,
  { endpoint, region, path_style, access_key_id, secret_access_key, timeout_ms }: Parameters<typeof adapter.create>[0],
  { guard }: SourceDeps,
): Promise<S3Client> {
  const url = endpoint === '' ? undefined : new URL(endpoint);
  const port = Number(url?.port) || (url?.protocol === 'http:' ? 80 : 443);
  // A literal address is not looked up, so it is checked here.
  if (url !== undefined)
    await guard.resolve(url.hostname, port).catch((error: unknown) => Promise.reject(toGuardError(error)));
  const lookup = guard.lookup(port);
  const isAnonymous = access_key_id === '';
  return new sdk.S3Client({
    region,
    forcePathStyle: path_style,
    maxAttempts: 3,
    requestHandler: {
      httpAgent: new HttpAgent({ keepAlive: true, lookup }),
      httpsAgent: new HttpsAgent({ keepAlive: true, lookup }),
      connectionTimeout: Math.min(5000, timeout_ms),
      requestTimeout: timeout_ms,
    },
    ...(url !== undefined && { endpoint }),
    // Never the credentials of the process: a source has what its settings name.
    credentials: { accessKeyId: access_key_id || 'none', secretAccessKey: secret_access_key || 'none' },
    ...(isAnonymous && { signer: { sign: async (request) => request } }),
  });
}

const statusOf = (error: unknown) => (error as S3ServiceException).$metadata?.httpStatusCode;

function fail(error: unknown, signal: AbortSignal): never {
  signal.throwIfAborted();
  const known = toGuardError(error);
  if (known !== error) throw known;
  const { name = 'Error' } = error as Error;
  const what = [statusOf(error), name].filter((part) => part !== undefined).join(' ');
  throw unavailable('s3', `the bucket cannot be read (${what}): check its name, region and keys`, error);
}

async function load(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3');
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError(
      'settings.adapter',
      'needs a package: npm install --no-save --save-prod --omit=dev @aws-sdk/client-s3',
    );
  }
}
