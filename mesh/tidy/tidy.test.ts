import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { Exposure, Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { policyOf } from '#kit/rpc/policy.ts';
import { services } from '../run.ts';

// The project rules. Each failure says what to do instead.

const root = fileURLToPath(new URL('../..', import.meta.url));
const topLevel = new Set(['proto', 'gen', 'services', 'mesh', 'deployments']);

/** Vendors' SDKs: each belongs into that vendor's adapter file. */
const vendorPackages = [
  'openai',
  '@anthropic-ai/sdk',
  'ioredis',
  '@qdrant/js-client-rest',
  '@elastic/elasticsearch',
  'sqlite-vec',
  '@zilliz/milvus2-sdk-node',
  'weaviate-client',
  '@huggingface/transformers',
];

const longestFile = 400;

interface Source {
  path: string;
  text: string;
  /** What it imports: packages as they are written, own files by their path from the root. */
  imports: string[];
}

const sources: Source[] = [...topLevel].flatMap((folder) => sourcesUnder(folder));
const isTest = (path: string) => /\.(test|suite)\.tsx?$|\/(testing|suites)\//.test(path) || /^mesh\/e2e\//.test(path);

function sourcesUnder(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules') && !path.includes('/dist/') && !path.endsWith('.d.ts'))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return { path, text, imports: importsOf(path, text) };
    });
}

function importsOf(path: string, text: string): string[] {
  const found = text.matchAll(/^\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm);
  return [...found].map((match) => {
    const name = match[1] ?? match[2] ?? '';
    if (name.startsWith('#gen/')) return name.replace('#gen/', 'gen/');
    if (name.startsWith('#kit/')) return name.replace('#kit/', 'mesh/kit/');
    return name.startsWith('.') ? relative(root, resolve(root, dirname(path), name)) : name;
  });
}

/** Fails with every place that breaks a rule, and what to do instead. */
function expectNone(broken: string[], instead: string): void {
  expect(broken, `${instead}\n  ${broken.join('\n  ')}`).toEqual([]);
}

const edges = sources.flatMap(({ path, imports }) => imports.map((to) => ({ path, to })));
const show = ({ path, to }: { path: string; to: string }) => `${path} imports ${to}`;

test('gen imports only the protobuf runtime', () => {
  const broken = edges.filter(({ path, to }) => path.startsWith('gen/') && !/^(gen\/|@bufbuild\/protobuf)/.test(to));
  expectNone(broken.map(show), 'gen/ is generated: change proto/ and run `npm run gen`');
});

test('the kit knows no service', () => {
  const broken = edges.filter(({ path, to }) => path.startsWith('mesh/kit/') && to.startsWith('services/'));
  expectNone(broken.map(show), 'hand the kit what it needs as an argument, or move the code into the service');
});

test('a service imports contracts, the kit and itself', () => {
  const broken = edges.filter(({ path, to }) => {
    const own = /^services\/[^/]+\//.exec(path)?.[0];
    return own !== undefined && /^(services|mesh)\//.test(to) && !to.startsWith(own) && !to.startsWith('mesh/kit/');
  });
  expectNone(broken.map(show), 'name the other service in `needs`, and call the client that create() is given');
});

test('only the composition root imports services', () => {
  const broken = edges.filter(
    ({ path, to }) =>
      !path.startsWith('services/') &&
      path !== 'mesh/run.ts' &&
      to.startsWith('services/') &&
      // What a service lends to tests.
      !(isTest(path) && to.includes('/testing/')),
  );
  expectNone(broken.map(show), 'take `services` from mesh/run.ts, or a client');
});

test("a vendor's SDK stays in that vendor's adapter file", () => {
  const broken = edges.filter(
    ({ path, to }) => vendorPackages.includes(to) && !/\/adapters\/[^/]+\//.test(path) && !isTest(path),
  );
  expectNone(broken.map(show), 'move the call behind the port, into adapters/<port>/<vendor>.ts');
});

test('grpc-js is loaded in one place', () => {
  const broken = sources.filter(
    ({ path, text }) => path !== 'mesh/kit/rpc/grpc/grpc-js.ts' && /^import (?!type)[^;]*'@grpc\/grpc-js'/m.test(text),
  );
  expectNone(
    broken.map(({ path }) => path),
    'use grpc() of #kit/rpc/grpc/grpc-js.ts, or the tracing of calls is lost',
  );
});

test('the environment is read in one place', () => {
  const broken = sources.filter(
    ({ path, text }) => path !== 'mesh/run.ts' && !isTest(path) && /process\.env\b/.test(text),
  );
  expectNone(
    broken.map(({ path }) => path),
    'take it from the configuration, or from the `env` that create() is given',
  );
});

test('a service takes time and randomness from its arguments', () => {
  const own = /\b(Date\.now\(\)|new Date\(\)|Math\.random\(\))/;
  const broken = sources.filter(
    ({ path, text }) =>
      path.startsWith('services/') && !path.startsWith('services/console/') && !isTest(path) && own.test(text),
  );
  expectNone(
    broken.map(({ path }) => path),
    'use `clock` and `random` of create()',
  );
});

test('every service folder has the same files', () => {
  const broken = services.flatMap(({ name }) =>
    ['README.md', 'index.ts', 'config.ts']
      .filter((file) => !existsSync(join(root, 'services', name, file)))
      .map((file) => `services/${name}/${file} is missing`),
  );
  expectNone(broken, 'see CONTRIBUTING.md, "Add a service"');
});

test('every rpc says how it may be called', () => {
  const methods = services.flatMap(({ contracts }) => contracts).flatMap((contract) => contract.methods);
  const broken = methods.flatMap((method) => {
    const policy = policyOf(method);
    const name = `${method.parent.typeName}/${method.name}`;
    const isRead = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
    return [
      ...(policy.exposure === Exposure.UNSPECIFIED ? [`${name} has no exposure`] : []),
      ...(policy.role === Role.UNSPECIFIED ? [`${name} has no role`] : []),
      ...(policy.maxAttempts === 0 ? [`${name} has no max_attempts`] : []),
      ...(policy.maxAttempts > 1 && !isRead ? [`${name} is retried but has side effects`] : []),
    ];
  });
  expectNone(broken, 'set (ragmesh.common.v1.rpc) in the proto; only reads (NO_SIDE_EFFECTS) may be retried');
});

test('files stay short', () => {
  const broken = sources.filter(
    ({ path, text }) =>
      !path.startsWith('gen/') && text.split('\n').length > longestFile && !/long because/i.test(text),
  );
  expectNone(
    broken.map(({ path, text }) => `${path}: ${text.split('\n').length} lines`),
    `a file is one idea: split it, or say "Long because …" at its head (past ${longestFile} lines)`,
  );
});

test('nothing is left undone or switched off', () => {
  const forbidden = new RegExp(
    ['\\bTO' + 'DO\\b', '\\bFIX' + 'ME\\b', '@ts-ign' + 'ore', '\\bas an' + 'y\\b', '\\.on' + 'ly\\('].join('|'),
  );
  const broken = sources.filter(({ path, text }) => !path.startsWith('gen/') && forbidden.test(text));
  expectNone(
    broken.map(({ path, text }) => `${path}: ${forbidden.exec(text)?.[0]}`),
    'finish it, type it, or take it out',
  );
});

test('exports have names', () => {
  const broken = sources.filter(
    ({ path, text }) => /^export default/m.test(text) && !/(^|\/)(vite|vitest)\.config\.ts$/.test(path),
  );
  expectNone(
    broken.map(({ path }) => path),
    'use a named export',
  );
});

test('the top level is closed', () => {
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .filter((name) => !['node_modules', 'data', 'coverage'].includes(name) && !topLevel.has(name));
  expectNone(folders, `everything lives in ${[...topLevel].join(', ')}`);
});
