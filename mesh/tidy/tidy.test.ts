import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Exposure, Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { listAdapters } from '#kit/host/config/adapters.ts';
import { mayRepeat, policyOf } from '#kit/rpc/policy.ts';
import { services } from '../run.ts';
import { root, topLevel } from './source-tree.ts';

// The project rules that need more than the text of the sources. Each failure says what to do instead.

/** Fails with every place that breaks a rule, and what to do instead. */
function expectNone(broken: string[], instead: string): void {
  expect(broken, `${instead}\n  ${broken.join('\n  ')}`).toEqual([]);
}

test('every service folder has the same files', () => {
  const broken = services.flatMap(({ name }) =>
    ['README.md', 'index.ts', 'config.ts']
      .filter((file) => !existsSync(join(root, 'services', name, file)))
      .map((file) => `services/${name}/${file} is missing`),
  );
  expectNone(broken, 'see CONTRIBUTING.md, "Add a service"');
});

describe('every adapter is in the README of its service', () => {
  test.each(services.map(({ name }) => name))('%s', (name) => {
    const folder = join(root, 'services', name, 'adapters');
    const ports = existsSync(folder) ? readdirSync(folder).filter((port) => port !== 'vendors') : [];
    const page = readFileSync(join(root, 'services', name, 'README.md'), 'utf8');
    const broken = ports.flatMap((port) =>
      listAdapters(new URL(`file://${folder}/${port}/`))
        .filter((adapter) => !isNamed(adapter, page))
        .map((adapter) => `services/${name}/README.md does not name ${port} \`${adapter}\``),
    );
    expectNone(broken, 'add a row to the table of adapters');
  });

  test('a name inside another name does not count', () => {
    expect(isNamed('openai', 'use `azure-openai`')).toBe(false);
    expect(isNamed('openai', '| `openai` | … |')).toBe(true);
  });
});

function isNamed(adapter: string, page: string): boolean {
  return new RegExp(`(^|[\\s\`|(,])${adapter}([\\s\`|),.:;]|$)`, 'm').test(page);
}

test('every rpc says how it may be called', () => {
  const methods = services.flatMap(({ contracts }) => contracts).flatMap((contract) => contract.methods);
  const broken = methods.flatMap((method) => {
    const policy = policyOf(method);
    const name = `${method.parent.typeName}/${method.name}`;
    return [
      ...(policy.exposure === Exposure.UNSPECIFIED ? [`${name} has no exposure`] : []),
      ...(policy.role === Role.UNSPECIFIED ? [`${name} has no role`] : []),
      ...(policy.maxAttempts === 0 ? [`${name} has no max_attempts`] : []),
      ...(policy.maxAttempts > 1 && !mayRepeat(method) ? [`${name} is retried but has side effects`] : []),
    ];
  });
  expectNone(
    broken,
    'set (ragmesh.common.v1.rpc) in the proto; only reads (NO_SIDE_EFFECTS) and what is_repeatable may be retried',
  );
});

test('the top level is closed', () => {
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .filter((name) => !['node_modules', 'data', 'coverage', ...topLevel].includes(name));
  expectNone(folders, `everything lives in ${topLevel.join(', ')}`);
});
