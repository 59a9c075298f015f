import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

let mesh: WholeMesh;
let chat: Client<typeof ChatService>;
let indexer: Client<typeof IndexerService>;
const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
beforeAll(async () => {
  mesh = await startWholeMesh();
  const transport = createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2' });
  chat = createClient(ChatService, transport);
  indexer = createClient(IndexerService, transport);
});
afterAll(() => mesh.close());

const caught = async (work: Promise<unknown>): Promise<ConnectError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConnectError)) throw new Error(`no ConnectError but ${error}`);
  return error;
};

async function* upload(path: string, chunks: Iterable<Uint8Array>) {
  yield { part: { case: 'start' as const, value: { corpus: 'faults' } } };
  yield { part: { case: 'file' as const, value: { path } } };
  for (const data of chunks) yield { part: { case: 'data' as const, value: data } };
}

async function ingest(path: string, bytes: Uint8Array) {
  const { jobId } = await indexer.ingestDocuments(upload(path, [bytes]), as(mesh.devKey));
  for await (const { job } of indexer.watchJob({ jobId }, as(mesh.devKey))) {
    if (job?.state === JobState.SUCCEEDED || job?.state === JobState.FAILED) {
      const { failures } = await indexer.listFailures({ jobId }, as(mesh.devKey));
      return { job, failures };
    }
  }
  throw new Error('the job did not end');
}

describe('the command line', () => {
  const run = fileURLToPath(new URL('../../run.ts', import.meta.url));
  const start = (config: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'ragmesh-faults-'));
    writeFileSync(join(folder, 'ragmesh.yaml'), config);
    const child = spawn(process.execPath, [run, '--config', join(folder, 'ragmesh.yaml')], {
      env: { ...process.env, RAGMESH_DATA_DIR: join(folder, 'data') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (data) => {
      errors += data;
    });
    return new Promise<{ code: number | null; errors: string }>((resolve) => {
      child.once('exit', (code) => {
        rmSync(folder, { recursive: true, force: true });
        resolve({ code, errors });
      });
    });
  };
  test('an unknown field in the configuration stops the start with its path and what is allowed', async () => {
    const { code, errors } = await start('retrieval:\n  vector_wait: 0.5\n');
    expect(code).toBe(1);
    expect(errors).toContain(
      'retrieval.vector_wait: unknown key: did you mean "vector_weight"?; allowed: vector_store',
    );
  });
  test('an occupied port stops the start with what to do', async () => {
    const port = Number(new URL(mesh.edgeUrl).port);
    const { code, errors } = await start(`edge: { port: ${port} }\ngrpc: { port: 0 }\nadmin: { port: 0 }\n`);
    expect(code).toBe(1);
    expect(errors).toMatch(new RegExp(`port ${port} is taken: .*edge\\.port`));
  });
  test('an address that others can reach needs credentials', async () => {
    const { code, errors } = await start('edge: { host: 0.0.0.0, port: 0 }\ngrpc: { port: 0 }\nadmin: { port: 0 }\n');
    expect(code).toBe(1);
    expect(errors).toMatch(/edge\.(host|api_keys).*api_keys/);
  });
});

describe('documents', () => {
  test('a corrupt record is reported with its line, and the others are indexed', async () => {
    const text =
      '{"id":"a","title":"A","text":"Alpha costs 7 yuan."}\n{"id":"b", broken\n{"id":"c","title":"C","text":"Gamma costs 9 yuan."}\n';
    const { job, failures } = await ingest('mixed.jsonl', new TextEncoder().encode(text));
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(Number(job.progress?.indexedCount)).toBe(2);
    expect(failures).toMatchObject([{ path: 'mixed.jsonl', line: 2n, reason: 'DOCUMENT_CORRUPT' }]);
  });
  test('invalid UTF-8 is refused and not guessed at', async () => {
    const { failures } = await ingest('latin.txt', new Uint8Array([0x63, 0x61, 0x66, 0xe9, 0x0a, 0xff, 0xfe, 0x41]));
    expect(failures).toMatchObject([{ path: 'latin.txt', reason: 'DOCUMENT_CORRUPT' }]);
    expect(failures[0]?.message).toMatch(/UTF-8/);
  });
  test('a file of an unknown kind is reported as failed', async () => {
    const { failures } = await ingest('film.mp4', new Uint8Array([0x00, 0x00, 0x00, 0x18]));
    expect(failures).toMatchObject([{ reason: 'MEDIA_TYPE_UNSUPPORTED' }]);
  });
  test('an upload of 80 MB in one file is stopped at the limit, and leaves nothing behind', async () => {
    const megabyte = new Uint8Array(1 << 20).fill(0x61);
    const before = (await indexer.listJobs({}, as(mesh.devKey))).jobs.length;
    const chunks = function* () {
      for (let index = 0; index < 80; index++) yield megabyte;
    };
    const error = await caught(indexer.ingestDocuments(upload('huge.txt', chunks()), as(mesh.devKey)));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(errorInfoOf(error)).toMatchObject({ reason: 'TOO_LARGE', metadata: { limit_bytes: String(64 << 20) } });
    expect((await indexer.listJobs({}, as(mesh.devKey))).jobs.length).toBe(before);
  });
});

describe('calls', () => {
  test('a body of 80 MB is refused without being read to its end', async () => {
    const response = await fetch(`${mesh.edgeUrl}/ragmesh.chat.v1.ChatService/ListSessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${mesh.devKey}` },
      body: JSON.stringify({ pageToken: 'x'.repeat(80 << 20) }),
    }).catch((error: Error) => error);
    // Either the refusal arrives, or the connection is closed on the sender: both are clean.
    if (response instanceof Response) expect([413, 429]).toContain(response.status);
  });
  test('a deadline of 1 ms ends as a deadline', async () => {
    const error = await caught(askWhole(chat, { question: 'returns?' }, { ...as(mesh.devKey), timeoutMs: 1 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });
  test('an expired key is refused as expired', async () => {
    const key = 'rm_expired_key_for_a_test';
    const sha256 = createHash('sha256').update(key).digest('hex');
    const apiKeys = [{ id: 'old', sha256, tenant: 'demo', roles: [Role.READER], expiresAt: { seconds: 1n, nanos: 0 } }];
    await using other = await startWholeMesh({ config: { edge: { apiKeys } }, sample: false });
    const client = createClient(ChatService, createConnectTransport({ baseUrl: other.edgeUrl, httpVersion: '2' }));
    const error = await caught(client.listSessions({}, as(key)));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(errorInfoOf(error)?.reason).toBe('CREDENTIALS_EXPIRED');
  });
});

test('clients that go away in the middle of an answer leave nothing open', async () => {
  const resources = () => {
    const counts: Record<string, number> = {};
    for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
    return { timers: counts.Timeout ?? 0, workers: counts.MessagePort ?? 0 };
  };
  const leave = async (index: number) => {
    const controller = new AbortController();
    const question = `What does the ${index}th order cost to return?`;
    const options = { ...as(mesh.devKey), signal: controller.signal };
    const events = chat.ask({ question, bypassCache: true }, options);
    await caught(
      (async () => {
        for await (const { event } of events) if (event.case === (index % 2 ? 'stage' : 'sources')) controller.abort();
      })(),
    );
  };
  await leave(0);
  await sleep(300);
  const before = resources();
  for (let index = 0; index < 30; index++) await leave(index);
  const calls = async () => {
    const text = await (await fetch(`http://127.0.0.1:${mesh.host.adminPort}/metrics`)).text();
    return Number(/^ragmesh_calls_open (\d+)/m.exec(text)?.[1] ?? 'NaN');
  };
  for (let attempt = 0; attempt < 100 && (await calls()) !== 0; attempt++) await sleep(50);
  expect(await calls()).toBe(0);
  // A thread may still end a piece of work for a caller that has left.
  const patience = { timeout: 15_000, interval: 50 };
  await expect.poll(() => resources().workers, patience).toBeLessThanOrEqual(before.workers);
  await expect.poll(() => resources().timers, patience).toBeLessThanOrEqual(before.timers + 3);
});
