import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { findChromium, launchChromium } from '../../../services/console/testing/browser.ts';
import { packClient } from '../../client/pack.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Every example of deployments/examples whose runtime is here, unchanged, in a folder of its own, against the whole mesh. Python's packages
// are looked for in the environment of RAGMESH_PYTHON (default: python3).

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-examples-'));
const examples = join(folder, 'examples');
const python = process.env.RAGMESH_PYTHON ?? 'python3';
const minutes = 60_000;

const page = createServer((request, response) => {
  const isScript = request.url === '/ragmesh-client.js';
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
  response.end(readFileSync(isScript ? join(folder, 'bundle/ragmesh-client.js') : join(examples, 'browser.html')));
});
let mesh: WholeMesh;
let origin: string;

beforeAll(async () => {
  cpSync(join(root, 'deployments/examples'), examples, { recursive: true });
  const modules = join(folder, 'node_modules');
  const client = join(modules, '@ragmesh/client');
  mkdirSync(client, { recursive: true });
  execFileSync('tar', ['-xzf', packClient(folder), '-C', client, '--strip-components=1']);
  for (const name of ['@ai-sdk', '@bufbuild', '@connectrpc', '@langchain', '@modelcontextprotocol', 'ai', 'openai']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  await new Promise<void>((ready) => page.listen(0, '127.0.0.1', ready));
  origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  mesh = await startWholeMesh({ config: { edge: { corsOrigins: [origin] } } });
}, 5 * minutes);
afterAll(async () => {
  page.close();
  await mesh?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(command: string, args: readonly string[], cwd = examples): Promise<string> {
  const env = {
    ...process.env,
    RAGMESH_URL: mesh.edgeUrl,
    RAGMESH_GRPC: mesh.edgeUrl.replace('http://', ''),
    RAGMESH_API_KEY: mesh.devKey,
    RAGMESH_SERVICE_CONFIG: join(root, 'proto/service-config.json'),
    PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
  };
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, timeout: 8 * minutes });
  return stdout;
}

// What the sample says of refunds to cards.
const answer = /\bdays?\b[\s\S]*\[1\]/;

describe('JavaScript', () => {
  for (const name of ['openai-js', 'langchain-js', 'vercel-ai', 'ragmesh-client', 'mcp-client']) {
    test(`${name}.mjs`, { timeout: minutes }, async () => {
      expect(await run(process.execPath, [`${name}.mjs`])).toMatch(answer);
    });
  }
});

describe('Python', () => {
  const packages = {
    'openai-python': 'openai',
    'langchain-python': 'langchain_openai',
    'llamaindex-python': 'llama_index.llms.openai_like',
    'anthropic-python': 'anthropic',
  };
  for (const [name, needed] of Object.entries(packages)) {
    test.skipIf(!hasModule(needed) && skipped(needed, 1, 'pip install, and RAGMESH_PYTHON'))(
      `${name}.py`,
      { timeout: 2 * minutes },
      async () => {
        const said = await run(python, [`${name}.py`]);
        if (name === 'anthropic-python') expect(said).toMatch(/\bdays?\b/);
        else expect(said).toMatch(answer);
        // The title of a source.
        if (name === 'openai-python') expect(said).toMatch(/\n\[1\] \S/);
      },
    );
  }

  test.skipIf(!hasModule('grpc_tools') && skipped('grpc_tools', 1, 'pip install grpcio-tools, and RAGMESH_PYTHON'))(
    'grpc-python/ask.py',
    { timeout: 2 * minutes },
    async () => {
      const proto = join(root, 'proto');
      const files = execFileSync('find', ['buf', 'ragmesh', '-name', '*.proto'], { cwd: proto, encoding: 'utf8' })
        .trim()
        .split('\n');
      const cwd = join(examples, 'grpc-python');
      const out = ['--python_out=.', '--grpc_python_out=.'];
      await run(python, ['-m', 'grpc_tools.protoc', '-I', proto, ...out, ...files], cwd);
      expect(await run(python, ['ask.py'], cwd)).toMatch(answer);
    },
  );
});

function hasModule(name: string): boolean {
  return hasCommand(python) && spawnSync(python, ['-c', `import ${name}`]).status === 0;
}

describe('gRPC on the command line', () => {
  test('buf-curl.sh', { timeout: minutes }, async () => {
    expect(await run('sh', ['buf-curl.sh'])).toContain('textDelta');
  });
  test.skipIf(
    !hasCommand('grpcurl') && skipped('grpcurl', 1, 'go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest'),
  )('grpcurl.sh', { timeout: minutes }, async () => {
    expect(await run('sh', ['grpcurl.sh'])).toContain('textDelta');
  });
});

const canGo = hasCommand('go');
test.skipIf(!canGo && skipped('go', 1, 'https://go.dev/dl'))(
  'grpc-go, whose client uses protovalidate beside our contracts',
  { timeout: 10 * minutes },
  async (context) => {
    const cwd = join(examples, 'grpc-go');
    const fetched = await run('go', ['mod', 'download'], cwd).then(
      () => true,
      () => false,
    );
    if (!fetched) context.skip('no module proxy answers');
    const template = join(examples, 'buf.gen.go.yaml');
    await run('buf', ['generate', root, '--path', join(root, 'proto/ragmesh'), '--template', template], cwd);
    expect(await run('go', ['run', '.'], cwd)).toMatch(answer);
  },
);

test.skipIf(!hasCommand('mvn') && skipped('mvn', 1, 'apt-get install maven openjdk-17-jdk-headless'))(
  'grpc-java',
  { timeout: 10 * minutes },
  async (context) => {
    const cwd = join(examples, 'grpc-java');
    const maven = (...goals: string[]) => run('mvn', ['-q', '-B', `-Dcontracts=${join(root, 'proto')}`, ...goals], cwd);
    const failure = await maven('compile').catch(String);
    // An artifact that a repository answers for and does not have is a mistake of the example.
    const isAway = failure.includes('Could not transfer artifact');
    if (isAway && skipped('Maven repository', 1, 'none answers: try again with a network')) context.skip();
    expect(failure).not.toContain('ERROR');
    expect(await maven('exec:java')).toMatch(answer);
  },
);

const chromium = findChromium();
test.skipIf(chromium === undefined && skipped('chromium', 1, 'apt-get install chromium'))(
  'browser.html, a page of another origin',
  { timeout: 2 * minutes },
  async () => {
    const entry = join(folder, 'node_modules/@ragmesh/client/mesh/client/index.js');
    const lib = { entry, formats: ['es' as const], fileName: () => 'ragmesh-client.js' };
    const outDir = join(folder, 'bundle');
    await build({ root: folder, configFile: false, logLevel: 'silent', build: { lib, outDir } });
    const browser = await launchChromium(chromium as string);
    try {
      const tab = await browser.newPage();
      await tab.goto(origin);
      await tab.fill('[name=url]', mesh.edgeUrl);
      await tab.fill('[name=key]', mesh.devKey);
      await tab.click('button');
      await tab.waitForFunction(() => document.getElementById('answer')?.textContent?.includes('[1]'));
    } finally {
      await browser.close();
    }
  },
);

test('no example is longer than 40 lines', () => {
  const files = execFileSync('find', ['.', '-type', 'f'], {
    cwd: join(root, 'deployments/examples'),
    encoding: 'utf8',
  });
  const sources = files
    .trim()
    .split('\n')
    .filter((name) => /\.(py|mjs|html|sh|go|java)$/.test(name));
  expect(sources.length).toBeGreaterThan(13);
  for (const name of sources) {
    const lines = readFileSync(join(root, 'deployments/examples', name), 'utf8')
      .trimEnd()
      .split('\n');
    expect([name, lines.length <= 40]).toEqual([name, true]);
  }
});
