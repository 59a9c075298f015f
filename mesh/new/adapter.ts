import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ConfigError } from '#kit/base/config-error.ts';
import { root } from '../tools.ts';
import { formsOf, readRepositoryFile, type TreeChange } from './tree.ts';

/** A member of a port that an adapter must have. */
interface Member {
  readonly name: string;
  readonly isMethod: boolean;
}

/** Returns the files of a new adapter: the adapter, its test, and its row in the table of adapters of the service's README. */
export function createAdapterFiles(service: string, port: string, name: string): TreeChange {
  const folder = `services/${service}/adapters/${port}`;
  if (!existsSync(join(root, folder))) throw new ConfigError('port', `there is no ${service}/${port}`, portsOf());
  const portFile = findPort(service, port);
  const text = readRepositoryFile(portFile);
  const type = new RegExp(`export interface (${formsOf(port).pascal})\\b`, 'i').exec(text)?.[1];
  if (type === undefined) throw new ConfigError(portFile, `has no interface ${formsOf(port).pascal}`);
  const deps = new RegExp(`export interface (${type}Deps)\\b`).exec(text)?.[1];
  const parts = { name, type, deps, from: relative(folder, portFile), members: membersOf(text, type) };
  return {
    hasContracts: false,
    created: { [`${folder}/${name}.ts`]: adapterOf(parts), [`${folder}/${name}.test.ts`]: testOf(parts) },
    changed: { [`services/${service}/README.md`]: (readme) => addRow(readme, port, name) },
  };
}

function portsOf(): string[] {
  return readdirSync(join(root, 'services')).flatMap((service) => {
    const adapters = join(root, 'services', service, 'adapters');
    const ports = existsSync(adapters) ? readdirSync(adapters) : [];
    return ports.filter((port) => port !== 'vendors').map((port) => `${service}/${port}`);
  });
}

/** Returns the file of a port: `<port>.ts` in one of the service's rooms. */
function findPort(service: string, port: string): string {
  const folder = join(root, 'services', service);
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find(
    (path) => path.endsWith(`/${port}.ts`) && !path.startsWith('adapters/'),
  );
  if (found === undefined) throw new ConfigError(`services/${service}`, `has no file ${port}.ts with the port`);
  return `services/${service}/${found}`;
}

/** Returns the required members of an interface, by their indentation of two spaces. */
function membersOf(text: string, type: string): Member[] {
  const body = new RegExp(`export interface ${type}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(text)?.[1] ?? '';
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)(\??)(\(|:|<)/gm)]
    .filter(([, , optional]) => optional === '')
    .map(([, name = '', , after]) => ({ name, isMethod: after !== ':' }));
}

interface Parts {
  readonly name: string;
  readonly type: string;
  readonly deps: string | undefined;
  /** Path of the port from the adapter. */
  readonly from: string;
  readonly members: readonly Member[];
}

function adapterOf({ name, type, deps, from, members }: Parts): string {
  const lines = members.map((member) => {
    if (member.name === 'close') return 'async close() {},';
    return member.isMethod
      ? `${member.name}: () => unwritten('${member.name}'),`
      : `get ${member.name}() {\n        return unwritten('${member.name}');\n      },`;
  });
  return `import { Code } from '@connectrpc/connect';
import { z } from 'zod';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { ${[type, ...(deps === undefined ? [] : [deps])].join(', ')} } from '${from}';

/** Say what it talks to, and cite the page that documents its requests. */
export const adapter = defineAdapter({
  settings: {
    url: z.string().describe('Address of the server'),
    timeout_ms: z.int().min(1).max(600_000).describe('Longest time of a call, in milliseconds').default(5000),
  },
  create(_settings, _deps: ${deps ?? 'object'}): ${type} {
    return {
      ${lines.join('\n      ')}
    };
  },
});

/** Throws UNIMPLEMENTED with the member that is not written yet. */
function unwritten(member: string): never {
  throw rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, \`the adapter ${name} has no \${member} yet\`);
}
`;
}

function testOf({ name, members }: Parts): string {
  const method = members.find(({ name: member, isMethod }) => isMethod && member !== 'close')?.name ?? 'close';
  return `import { expect, test } from 'vitest';
import { readSettings } from '#kit/host/config/adapter-settings.ts';
import { adapter } from './${name}.ts';

const path = 'settings';

test('the address must be given, and the timeout has a default', () => {
  expect(readSettings(adapter.settings, { url: 'http://127.0.0.1:1' }, path)).toEqual({
    url: 'http://127.0.0.1:1',
    timeout_ms: 5000,
  });
  expect(() => readSettings(adapter.settings, {}, path)).toThrow('settings.url: is missing');
});

// Replace this test with the contract suite of the port (suites/) when the adapter is written.
test('what is not written yet is UNIMPLEMENTED', async () => {
  const port = await adapter.create(readSettings(adapter.settings, { url: 'http://127.0.0.1:1' }, path), {} as never);
  expect(() => (port.${method} as () => unknown)()).toThrow('the adapter ${name} has no ${method} yet');
});
`;
}

/** Adds a row to the table of the README that names an adapter in each row. Throws ConfigError if there is none. */
function addRow(readme: string, port: string, name: string): string {
  const lines = readme.split('\n');
  const heads = lines.flatMap((line, index) => (/^\| *(adapter|`?name`?) *\|/.test(line) ? [index] : []));
  const head =
    heads.find((index) =>
      lines
        .slice(Math.max(0, index - 6), index)
        .join('\n')
        .includes(port),
    ) ?? heads[0];
  const columnCount = head === undefined ? 2 : (lines[head]?.split('|').length ?? 4) - 2;
  const row = `| \`${name}\` | ${['say what it does', ...Array.from({ length: columnCount - 2 }, () => '')].join(' | ')} |`;
  if (head === undefined) return `${readme.trimEnd()}\n\n| adapter | what it does |\n|---|---|\n${row}\n`;
  let end = head;
  while (lines[end + 1]?.startsWith('|')) end++;
  return [...lines.slice(0, end + 1), row, ...lines.slice(end + 1)].join('\n');
}
