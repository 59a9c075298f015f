import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The SDK of A2A, unchanged, over its three transports against the whole mesh. It is installed into a folder of its own:
// RAGMESH_A2A_SDK names a folder that has it already.

interface Part {
  content?: { $case: string; value: unknown };
}
interface Task {
  id: string;
  contextId: string;
  status?: { state: number };
  artifacts: { parts: Part[] }[];
}
interface Client {
  sendMessage(params: object, options?: object): Promise<Task>;
  sendMessageStream(params: object, options?: object): AsyncIterable<{ payload?: { $case: string; value: unknown } }>;
  getTask(params: object, options?: object): Promise<Task>;
  listTasks(params: object, options?: object): Promise<{ tasks: Task[] }>;
  cancelTask(params: object, options?: object): Promise<Task>;
}
interface Sdk {
  ClientFactory: new (options: object) => { createFromUrl(url: string): Promise<Client> };
  JsonRpcTransportFactory: new () => object;
  RestTransportFactory: new () => object;
}
interface GrpcSdk {
  GrpcTransportFactory: new () => object;
}

const version = '1.3.0';
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-a2a-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function install(): string | undefined {
  const given = process.env.RAGMESH_A2A_SDK;
  if (given !== undefined) return given;
  const packages = [`@a2a-js/sdk@${version}`, '@grpc/grpc-js@1.14.0', '@bufbuild/protobuf@2.10.2'];
  try {
    execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', ...packages], {
      stdio: 'ignore',
      timeout: 120_000,
    });
    return folder;
  } catch {
    return undefined;
  }
}

const sdkFolder = install();
const load = async (name: string): Promise<unknown> =>
  import(pathToFileURL(createRequire(join(sdkFolder ?? '', 'package.json')).resolve(name)).href);

const completed = 3;

describe.skipIf(sdkFolder === undefined && skipped('a2a-sdk', 6, 'needs the registry of npm'))('the SDK', () => {
  let mesh: WholeMesh;
  let factories: Record<string, object>;
  let sdk: Sdk;
  beforeAll(async () => {
    mesh = await startWholeMesh();
    sdk = (await load('@a2a-js/sdk/client')) as Sdk;
    const grpc = (await load('@a2a-js/sdk/client/grpc')) as GrpcSdk;
    factories = {
      JSONRPC: new sdk.JsonRpcTransportFactory(),
      'HTTP+JSON': new sdk.RestTransportFactory(),
      GRPC: new grpc.GrpcTransportFactory(),
    };
  });
  afterAll(() => mesh.close());

  const connect = async (transport: string) =>
    new sdk.ClientFactory({ transports: [factories[transport]] }).createFromUrl(mesh.edgeUrl);
  const as = (key: string) => ({ serviceParameters: { authorization: `Bearer ${key}` } });
  const question = (text: string, more: object = {}) => ({
    tenant: '',
    message: {
      ...{ messageId: 'm1', contextId: '', taskId: '', role: 1, extensions: [], referenceTaskIds: [], ...more },
      parts: [{ content: { $case: 'text', value: text }, filename: '', mediaType: 'text/plain' }],
    },
  });
  const textOf = ({ artifacts }: Task) =>
    artifacts
      .flatMap(({ parts }) => parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')))
      .join('');

  describe.each(['JSONRPC', 'HTTP+JSON', 'GRPC'])('over %s', (transport) => {
    test('asks, continues the context, reads and lists tasks', async () => {
      const client = await connect(transport);
      const task = await client.sendMessage(question('Are fabric swatches free?'), as(mesh.customerKey));
      expect(task.status?.state).toBe(completed);
      expect(textOf(task)).toContain('[1]');
      const more = { contextId: task.contextId };
      const next = await client.sendMessage(question('How long do refunds take?', more), as(mesh.customerKey));
      expect(next.contextId).toBe(task.contextId);
      expect(textOf(await client.getTask({ tenant: '', id: task.id }, as(mesh.customerKey)))).toBe(textOf(task));
      const listed = await client.listTasks(
        { tenant: '', contextId: task.contextId, status: 0, pageToken: '' },
        as(mesh.customerKey),
      );
      expect(listed.tasks.map(({ id }) => id).sort()).toEqual([task.id, next.id].sort());
      const other = client.getTask({ tenant: '', id: task.id }, as(mesh.devKey));
      await expect(other).rejects.toMatchObject({ name: 'TaskNotFoundError' });
      await expect(client.cancelTask({ tenant: '', id: task.id }, as(mesh.customerKey))).rejects.toMatchObject({
        name: 'TaskNotCancelableError',
      });
    });

    test('streams a task to its end', async () => {
      const client = await connect(transport);
      const kinds: string[] = [];
      let last: unknown;
      for await (const { payload } of client.sendMessageStream(question('Are swatches free?'), as(mesh.customerKey))) {
        kinds.push(payload?.$case ?? '');
        last = payload?.value;
      }
      expect(kinds[0]).toBe('task');
      expect(last).toMatchObject({ status: { state: completed } });
    });
  });
});
