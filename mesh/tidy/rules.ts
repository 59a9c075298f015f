import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isTestCode, root, type Source } from './source-tree.ts';

/** A rule over the sources. Rules that Biome has (cycles, `process.env`, floating promises) are in biome.json. */
export interface Rule {
  /** A sentence that holds for the whole tree. */
  readonly name: string;
  /** What to do instead. */
  readonly instead: string;
  /** Returns each place that breaks the rule. */
  find(sources: readonly Source[]): string[];
}

interface Edge {
  readonly path: string;
  readonly to: string;
}

/** A rule over imports: `breaks` says of each one whether it is wrong. */
function importRule(name: string, instead: string, breaks: (edge: Edge) => boolean): Rule {
  const find = (sources: readonly Source[]) =>
    sources
      .flatMap(({ path, imports }) => imports.map((to) => ({ path, to })))
      .filter(breaks)
      .map(({ path, to }) => `${path} imports ${to}`);
  return { name, instead, find };
}

/** A rule over the text of files: `found` returns what is wrong in one, if anything. */
function textRule(name: string, instead: string, found: (source: Source) => string | undefined): Rule {
  const find = (sources: readonly Source[]) =>
    sources.flatMap((source) => {
      const what = found(source);
      return what === undefined ? [] : [`${source.path}: ${what}`];
    });
  return { name, instead, find };
}

/** The ports: each folder of adapters has the name of its port's file. */
const ports = new Set(
  readdirSync(join(root, 'services'))
    .map((service) => join(root, 'services', service, 'adapters'))
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : [])),
);
const isPort = (path: string) => {
  const name = /^services\/(?!.*\/adapters\/).*?([^/]+)\.ts$/.exec(path)?.[1];
  return name !== undefined && ports.has(name);
};

const ownFolder = (path: string) => /^services\/[^/]+\//.exec(path)?.[0];

/** The floors of the kit, lowest first. A file imports from its own floor and from lower ones. */
const floors: readonly (readonly string[])[] = [
  ['base'],
  ['answers', 'breaker', 'personal-data', 'statistics', 'text'],
  ['http', 'storage'],
  ['rpc'],
  ['host'],
  ['testing'],
];
const floorOf = (path: string) => {
  const room = /^mesh\/kit\/([^/]+)\//.exec(path)?.[1];
  return room === undefined ? -1 : floors.findIndex((rooms) => rooms.includes(room));
};

/** SDKs of vendors, and the rooms that may import them: adapters of such a name, and the vendor's own room. */
const vendors: Readonly<Record<string, RegExp>> = {
  openai: /openai/,
  '@anthropic-ai/sdk': /anthropic/,
  '@qdrant/js-client-rest': /qdrant/,
  '@elastic/elasticsearch': /elasticsearch/,
  'sqlite-vec': /sqlite/,
  '@zilliz/milvus2-sdk-node': /milvus/,
  'weaviate-client': /weaviate/,
  '@huggingface/transformers': /onnx/,
  '@aws-sdk/client-s3': /s3/,
  '@aws-sdk/lib-storage': /s3/,
  '@platformatic/kafka': /kafka/,
  bullmq: /bullmq/,
  '@modelcontextprotocol/client': /mcp/,
};
/** The one policy for connections to Redis, and that for PostgreSQL: several services use them. */
const redisPolicy = 'mesh/kit/storage/redis.ts';
const postgresPolicy = 'mesh/kit/storage/postgres/';
/** Reads the databases of others, which hold no records of ours. */
const postgresSource = 'services/indexer/adapters/source/sql/postgres.ts';

/** The only files that make secrets, and so need randomness that no one can repeat. */
const secretMakers = new Set([
  'services/audit/subjects/secrets.ts',
  'services/accounts/keys/secret.ts',
  'services/edge/credentials/dev-keys.ts',
  'services/llm-gateway/targets/tenant-tag.ts',
]);
const ownTime =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)|\bMath\.random\b|\b(randomUUID|randomBytes|randomInt|getRandomValues)\b/;
/** A function that is assigned to a property: V8 treats it as a method, of which there is one, and not as a closure that each request has. */
const functionProperty =
  /^\s*(?:if \(.*\) )?[\w.!()[\]]+\.#?\w+ (?:\?\?)?= (?:async )?(?:\([^()]*\)|\w+)(?:: [^=\n]+)? =>/m;
const ownEnv =
  /\benv\b[^;\n{}]*\}\s*=\s*(globalThis\.)?process\b|\bprocess\s*\[|\bprocess\s*\?\.\s*env|import\s*\{[^}]*\benv\b[^}]*\}\s*from\s*['"](node:)?process['"]/;
const unfinished = new RegExp(
  ['\\bTO' + 'DO\\b', '\\bFIX' + 'ME\\b', '@ts-ign' + 'ore', '\\bas an' + 'y\\b', '\\.on' + 'ly\\('].join('|'),
);
/** Engines, which a port must not need. The kit's `Database` is a handle that every service is given, and no engine. */
const engine = /^(node:(sqlite|worker_threads)|mesh\/kit\/base\/worker-rpc\.ts|mesh\/kit\/storage\/(?!database\.ts$))/;
const longestFile = 400;
const fullestFolder = 20;

export const rules: readonly Rule[] = [
  importRule(
    'gen imports only the protobuf runtime',
    'gen/ is generated: change proto/ and run `npm run gen`',
    ({ path, to }) => path.startsWith('gen/') && !/^(gen\/|@bufbuild\/protobuf)/.test(to),
  ),
  importRule(
    'the kit knows no service',
    'hand the kit what it needs as an argument, or move the code into the service',
    ({ path, to }) => path.startsWith('mesh/kit/') && to.startsWith('services/'),
  ),
  importRule(
    'imports in the kit go downward',
    `move the code to the lowest floor that needs it; floors, lowest first: ${floors.join(' < ')}`,
    ({ path, to }) =>
      !isTestCode(path) && to.startsWith('mesh/kit/') && floorOf(path) !== -1 && floorOf(to) > floorOf(path),
  ),
  importRule(
    'a service imports contracts, the kit and itself',
    'name the other service in `needs`, and call the client that create() is given',
    ({ path, to }) => {
      const own = ownFolder(path);
      return own !== undefined && /^(services|mesh)\//.test(to) && !to.startsWith(own) && !to.startsWith('mesh/kit/');
    },
  ),
  importRule(
    'only the composition root imports services',
    'take `services` from mesh/run.ts, or a client',
    ({ path, to }) =>
      !path.startsWith('services/') &&
      path !== 'mesh/run.ts' &&
      to.startsWith('services/') &&
      !(isTestCode(path) && /\/(testing|suites)\//.test(to)),
  ),
  importRule(
    'production code imports no test code',
    'move what both need out of testing/ or suites/',
    ({ path, to }) => !isTestCode(path) && /^(services|mesh\/kit)\//.test(path) && isTestCode(to),
  ),
  importRule(
    'a port does not import its adapters',
    'let the adapter import the port; load adapters by their folder (createFromAdapter)',
    ({ path, to }) =>
      !isTestCode(path) && ownFolder(path) !== undefined && !path.includes('/adapters/') && to.includes('/adapters/'),
  ),
  {
    name: 'a port imports no engine',
    instead: 'declare what an embedded adapter needs beside the engine, and let index.ts pass it',
    find(sources) {
      const own = sources.filter(({ path }) => ownFolder(path) !== undefined);
      const importsOf = new Map(own.map(({ path, imports }) => [path, imports]));
      const reached = (from: string) => {
        const seen = new Set([from]);
        for (const path of seen) for (const to of importsOf.get(path) ?? []) seen.add(to);
        return [...seen].find((path) => engine.test(path));
      };
      return own.flatMap(({ path }) => {
        const found = isPort(path) ? reached(path) : undefined;
        return found === undefined ? [] : [`${path} imports ${found}, itself or through another file`];
      });
    },
  },
  importRule(
    "a vendor's SDK stays in that vendor's room",
    'move the call behind the port, into adapters/<port>/<vendor>.ts or adapters/vendors/<vendor>/; open Redis by #kit/storage/redis.ts, and take `postgres` of create()',
    ({ path, to }) => {
      if (isTestCode(path)) return false;
      if (to === 'ioredis' || to.startsWith('ioredis/')) return path !== redisPolicy;
      if (to === 'pg') return !path.startsWith(postgresPolicy) && path !== postgresSource;
      const vendor = Object.keys(vendors).find((name) => to === name || to.startsWith(`${name}/`));
      if (vendor === undefined) return false;
      const room = /\/adapters\/(?:vendors\/([^/]+)\/|[^/]+\/([^/]+?)(?:\.ts$|\/))/.exec(path);
      return !vendors[vendor]?.test(room?.[1] ?? room?.[2] ?? '');
    },
  ),
  textRule(
    'grpc-js is loaded in one place',
    'use grpc() of #kit/rpc/grpc/grpc-js.ts, or the tracing of calls is lost',
    ({ path, text }) =>
      path === 'mesh/kit/rpc/grpc/grpc-js.ts' || path.startsWith('mesh/tidy/')
        ? undefined
        : /^import (?!type)[^;]*['"]@grpc\/grpc-js['"]|\b(import|require)\(\s*['"`]@grpc\/grpc-js/m.exec(text)?.[0],
  ),
  textRule(
    'the environment is read in one place',
    'take it from the configuration, or from the `env` that create() is given',
    ({ path, text }) => (path === 'mesh/run.ts' || isTestCode(path) ? undefined : ownEnv.exec(text)?.[0]),
  ),
  textRule(
    'a service takes time and randomness from its arguments',
    'use `clock` and `random` of create()',
    ({ path, text }) => {
      const isExempt = !path.startsWith('services/') || path.startsWith('services/console/') || isTestCode(path);
      return isExempt || secretMakers.has(path) ? undefined : ownTime.exec(text)?.[0];
    },
  ),
  textRule(
    'a function is not written directly into a property',
    'give it a name first: V8 allocates it in the old generation otherwise, and there it keeps all of its request until a full collection',
    ({ path, text }) =>
      isTestCode(path) || !/^(mesh\/kit|services\/(?!console))/.test(path)
        ? undefined
        : functionProperty.exec(text)?.[0].trim(),
  ),
  textRule(
    'files stay short',
    `a file is one idea: split it, or say "Long because …" in its first comment (past ${longestFile} lines)`,
    ({ path, text }) => {
      const lines = text.split('\n').length;
      const isShort = lines <= longestFile || /long because/i.test(text.slice(0, 2000));
      return path.startsWith('gen/') || isShort ? undefined : `${lines} lines`;
    },
  ),
  {
    name: 'folders stay small',
    instead: 'make rooms by what a reader looks for, and name each in the README',
    find(sources) {
      const entries = new Map<string, Set<string>>();
      for (const { path } of sources) {
        if (path.startsWith('gen/')) continue;
        const parts = path.split('/');
        for (let depth = 1; depth < parts.length; depth++) {
          const folder = parts.slice(0, depth).join('/');
          const inside = entries.get(folder) ?? new Set();
          entries.set(folder, inside.add(parts[depth] ?? ''));
        }
      }
      return [...entries]
        .filter(([, inside]) => inside.size > fullestFolder)
        .map(([folder, inside]) => `${folder} has ${inside.size} entries, more than ${fullestFolder}`);
    },
  },
  textRule('nothing is left undone or switched off', 'finish it, type it, or take it out', ({ path, text }) =>
    path.startsWith('gen/') ? undefined : unfinished.exec(text)?.[0],
  ),
  textRule('a test that changes its process is alone', 'name it x.alone.test.ts', ({ path, text }) =>
    /(?<!\.(?:alone|slow|live))\.test\.tsx?$/.test(path)
      ? /^(?!\s*[['"]).*\bstartTelemetry\(/m.exec(text)?.[0]
      : undefined,
  ),
  textRule('exports have names', 'use a named export', ({ path, text }) =>
    /(^|\/)(vite|vitest)\.config\.ts$/.test(path) ? undefined : /^export default/m.exec(text)?.[0],
  ),
];
