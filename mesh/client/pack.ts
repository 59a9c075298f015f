import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

// `npm run client:pack [-- <folder>]`: writes ragmesh-client-<version>.tgz, the package @ragmesh/client, into the folder.

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds the package in a folder: JavaScript and declarations of the client and of the contracts. */
function buildClient(folder: string): void {
  const sources = join(folder, 'src');
  const contracts = globSync('gen/ragmesh/*/v1/*.ts', { cwd: root }).filter(
    (path) => !/[\\/](testing|config)[\\/]/.test(path),
  );
  copySources(['mesh/client/index.ts', 'mesh/client/node.ts', ...contracts.map(toPosix)], sources);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: object;
  };
  const options = {
    rootDir: 'src',
    outDir: '.',
    noEmit: false,
    declaration: true,
    rewriteRelativeImportExtensions: true,
  };
  const config = { compilerOptions: { ...compilerOptions, ...options }, include: ['src'], exclude: ['node_modules'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { stdio: 'inherit' });
  rmSync(join(folder, 'node_modules'));
  rmSync(sources, { recursive: true });
  rmSync(join(folder, 'tsconfig.json'));
  cpSync(join(root, 'mesh/client/README.md'), join(folder, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
}

const aliases: Readonly<Record<string, string>> = { '#gen/': 'gen/', '#kit/': 'mesh/kit/' };

/** Copies files of the repository, and all that they import of it, with relative imports in the place of aliases. */
function copySources(entries: readonly string[], folder: string): void {
  const paths = new Set(entries);
  for (const path of paths) {
    const text = readFileSync(join(root, path), 'utf8').replace(/(?<= from ['"])[#.][^'"]+(?=['"])/g, (specifier) => {
      const alias = specifier.slice(0, 5);
      const target =
        aliases[alias] === undefined ? posix.join(posix.dirname(path), specifier) : aliases[alias] + specifier.slice(5);
      paths.add(target);
      const relative = posix.relative(posix.dirname(path), target);
      return relative.startsWith('.') ? relative : `./${relative}`;
    });
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function toPosix(path: string): string {
  return path.split(sep).join('/');
}

interface RootManifest {
  version: string;
  license: string;
  dependencies: Record<string, string>;
}

function manifest(): object {
  const { version, license, dependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as RootManifest;
  const rangeOf = (name: string) => `^${dependencies[name]}`;
  const entry = (name: string) => ({ types: `./mesh/client/${name}.d.ts`, default: `./mesh/client/${name}.js` });
  return {
    name: '@ragmesh/client',
    version,
    description: 'Typed clients of ragmesh: answers with sources, search, documents, models',
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=22' },
    exports: {
      '.': entry('index'),
      './node': entry('node'),
      // Messages and their schemas: "@ragmesh/client/ragmesh/chat/v1/chat_pb".
      './ragmesh/*': { types: './gen/ragmesh/*.d.ts', default: './gen/ragmesh/*.js' },
    },
    dependencies: Object.fromEntries(
      ['@bufbuild/protobuf', '@connectrpc/connect', '@connectrpc/connect-web'].map((name) => [name, rangeOf(name)]),
    ),
    peerDependencies: { '@connectrpc/connect-node': rangeOf('@connectrpc/connect-node') },
    peerDependenciesMeta: { '@connectrpc/connect-node': { optional: true } },
  };
}

/** Packs the client into `folder`. Returns the path of the package. */
export function packClient(folder: string): string {
  const build = mkdtempSync(join(tmpdir(), 'ragmesh-client-'));
  try {
    buildClient(build);
    mkdirSync(folder, { recursive: true });
    const args = ['pack', '--json', '--pack-destination', resolve(folder)];
    const output = execFileSync('npm', args, { cwd: build, encoding: 'utf8', shell: process.platform === 'win32' });
    const [packed] = JSON.parse(output) as { filename: string }[];
    return join(resolve(folder), packed?.filename ?? '');
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

if (import.meta.main) process.stdout.write(`${packClient(process.argv[2] ?? '.')}\n`);
