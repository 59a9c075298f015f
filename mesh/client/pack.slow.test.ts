import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWholeMesh, type WholeMesh } from '../e2e/testing/whole-mesh.ts';
import { packClient } from './pack.ts';

// The package as a stranger installs it: from its file, beside the packages that it needs, in a folder of its own.

const root = fileURLToPath(new URL('../..', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'ragmesh-consumer-'));
let mesh: WholeMesh;

beforeAll(async () => {
  const file = packClient(project);
  const scope = join(project, 'node_modules');
  const installed = join(scope, '@ragmesh/client');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', file, '-C', installed, '--strip-components=1']);
  for (const name of ['@bufbuild', '@connectrpc', '@types'])
    symlinkSync(join(root, 'node_modules', name), join(scope, name));
  writeFileSync(join(project, 'package.json'), '{"type":"module","private":true}');
  mesh = await startWholeMesh();
});
afterAll(async () => {
  await mesh?.close();
  rmSync(project, { recursive: true, force: true });
});

const program = `
import { Code, ConnectError, createRagmesh } from '@ragmesh/client';
import { createRagmesh as createOverNode } from '@ragmesh/client/node';
import { AnswerOutcome } from '@ragmesh/client/ragmesh/common/v1/answer_pb';

const [baseUrl = '', key = ''] = process.argv.slice(2);
for (const ragmesh of [
  createRagmesh({ baseUrl, credential: key }),
  createOverNode({ baseUrl, credential: async () => key }),
  createOverNode({ baseUrl, credential: key, protocol: 'grpc' }),
]) {
  let text = '';
  let outcome: AnswerOutcome | undefined;
  for await (const { event } of ragmesh.chat.ask({ question: 'How long does a refund to a credit card take?' })) {
    if (event.case === 'textDelta') text += event.value.text;
    if (event.case === 'done') outcome = event.value.outcome;
  }
  console.log(outcome === AnswerOutcome.ANSWERED, text.includes('[1]'));
}
try {
  await createRagmesh({ baseUrl, credential: 'no key' }).llmGateway.listModels({});
} catch (error) {
  console.log(error instanceof ConnectError && error.code === Code.Unauthenticated);
}
`;

test('it type-checks in a strict project, and answers over Connect and gRPC', async () => {
  writeFileSync(join(project, 'main.ts'), program);
  const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', 'main.ts'];
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options], {
    cwd: project,
    stdio: 'inherit',
  });
  const run = promisify(execFile)(process.execPath, ['main.ts', mesh.edgeUrl, mesh.devKey], { cwd: project });
  expect((await run).stdout.trim().split('\n')).toEqual(['true true', 'true true', 'true true', 'true']);
}, 120_000);
