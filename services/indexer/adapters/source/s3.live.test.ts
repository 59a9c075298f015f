import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { hasCommand, skipped, startTestServer } from '#kit/testing/server.ts';
import type { EntryAccess } from '../../sources/source.ts';
import { sourceSuite } from '../../suites/source.suite.ts';
import { openTestSource } from '../../testing/source-deps.ts';

// A real S3 server on loopback.

const command = 'gofakes3';
const advice = 'go install github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0';
const bucket = 'docs';
const never = new AbortController().signal;
const keys = { access_key_id: 'ragmesh', secret_access_key: 'a-long-secret' };

async function startS3() {
  const server = await startTestServer({
    command,
    args: (port) => ['-backend', 'memory', '-host', `127.0.0.1:${port}`, '-initialbucket', bucket],
  });
  const endpoint = `http://127.0.0.1:${server.port}`;
  const client = new S3Client({
    region: 'us-east-1',
    endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: keys.access_key_id, secretAccessKey: keys.secret_access_key },
  });
  const put = (Key: string, Body: string, ContentType = 'text/markdown') =>
    client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType }));
  return { server, endpoint, client, put, settings: { bucket, endpoint, path_style: true, prefix: 'help/', ...keys } };
}

describe.skipIf(!hasCommand(command) && skipped('s3', 9, advice))('a real S3', () => {
  sourceSuite('s3', async () => {
    const { server, client, put, settings } = await startS3();
    let isBroken = false;
    return {
      open: () =>
        openTestSource('s3', settings, {
          async pace() {
            if (isBroken) throw new Error('the place is away');
          },
        }),
      async put(name, text) {
        await put(`help/${name}.md`, text);
        return `help/${name}.md`;
      },
      async remove(name) {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `help/${name}.md` }));
      },
      async breakListing() {
        isBroken = true;
        return async () => {
          isBroken = false;
        };
      },
      async close() {
        client.destroy();
        await server[Symbol.asyncDispose]();
      },
    };
  });

  test('lists more objects than a page has, and reads one only if it changed', async () => {
    const { server, client, put, settings } = await startS3();
    for (let part = 0; part < 21; part++) {
      await Promise.all(Array.from({ length: 50 }, (_, index) => put(`help/${part * 50 + index}.md`, `text ${index}`)));
    }
    await put('other/x.md', 'x');
    await put('help/picture.png', 'x', 'image/png');
    const source = await openTestSource('s3', { ...settings, endings: ['.md'], url_prefix: 'https://cdn.example/' });
    const pages = await collect(source.ids(never));
    expect(pages.length).toBeGreaterThan(1);
    expect(new Set(pages.flat()).size).toBe(1050);
    const found = await source.fetch('help/7.md', '', never);
    expect(found).toMatchObject({ content: { mediaType: 'text/markdown', url: 'https://cdn.example/help/7.md' } });
    const validator = found.kind === 'content' ? (found.content.validator ?? '') : '';
    expect(await source.fetch('help/7.md', validator, never)).toEqual({ kind: 'unchanged' });
    for (const id of ['other/x.md', 'help/picture.png'])
      expect(await source.fetch(id, '', never)).toEqual({ kind: 'gone' });
    await source.close();
    client.destroy();
    await server[Symbol.asyncDispose]();
  });

  test('an object of rules says who may see the others, and is none of them', async () => {
    const { server, client, put, settings } = await startS3();
    for (const name of ['help/a.md', 'help/hr/b.md']) await put(name, name);
    await put('rules.yaml', 'rules: [{ path: help/hr/, groups: [hr] }, { path: help/, groups: everyone }]');
    const source = await openTestSource('s3', { ...settings, access_key: 'rules.yaml' });
    const access = async () => {
      const found: EntryAccess[] = [];
      for await (const page of source.permissions?.(never) ?? []) found.push(...page);
      return found;
    };
    expect(await access()).toEqual([
      { id: 'help/a.md', groups: 'everyone' },
      { id: 'help/hr/b.md', groups: ['hr'] },
    ]);
    await put('rules.yaml', 'rules: [');
    await expect(access()).rejects.toThrow('is not YAML');
    await source.close();
    client.destroy();
    await server[Symbol.asyncDispose]();
  });

  test('a bucket that is not there, and a server that may not be reached, say so', async () => {
    const { server, client, settings } = await startS3();
    const source = await openTestSource('s3', { ...settings, bucket: 'nothing' });
    await expect(collect(source.ids(never))).rejects.toThrow('the bucket cannot be read (404 NoSuchBucket)');
    await source.close();
    await expect(openTestSource('s3', settings, { allow: [] })).rejects.toThrow('no address on the public internet');
    const byName = { ...settings, endpoint: settings.endpoint.replace('127.0.0.1', 'rebound.localhost') };
    const named = await openTestSource('s3', byName, {
      allow: [],
      names: (() => {
        const answers = ['93.184.216.34'];
        return async () => [{ address: answers.shift() ?? '127.0.0.1', family: 4 }];
      })(),
    });
    await expect(collect(named.ids(never))).rejects.toThrow('no address on the public internet');
    await named.close();
    client.destroy();
    await server[Symbol.asyncDispose]();
  });
});
