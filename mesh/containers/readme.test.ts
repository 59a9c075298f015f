import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { root } from '../tools.ts';
import { readCompose } from './testing/compose.ts';

// What can be checked of deployments/README.md without Docker.

const folder = join(root, 'deployments');
const readme = readFileSync(join(folder, 'README.md'), 'utf8');

test('the table has every file and folder of deployments, and nothing else', () => {
  const table = readme.slice(0, readme.indexOf('\n## '));
  const listed = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+?)\/?`/g)].map(([, path]) => path),
  );
  expect(listed.sort()).toEqual(
    readdirSync(folder)
      .filter((name) => name !== 'README.md')
      .sort(),
  );
});

test('the commands name files, services, profiles and variables that exist', () => {
  const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
  for (const path of commands.join(' ').match(/deployments\/[\w./-]+/g) ?? [])
    expect(existsSync(join(root, path)), path).toBe(true);
  const { services } = readCompose('compose.yaml');
  const text = readFileSync(join(folder, 'compose.yaml'), 'utf8');
  const named = [...readme.matchAll(/(?:run --rm|exec|logs -f)(?: -v \S+)? (\w+)/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(2);
  for (const name of named) expect(services[name], name).toBeDefined();
  for (const [variable] of readme.matchAll(/RAGMESH_\w+PORT/g)) expect(text).toContain(`\${${variable}:-`);
  expect(readme).toContain(`-t ragmesh:${packageJson.version} `);
});

test('the commands are those that the compose file shows, and the ports those that it opens', () => {
  const shown = [...readFileSync(join(folder, 'compose.yaml'), 'utf8').matchAll(/^# {3}(docker .+)$/gm)].map(
    ([, command = '']) => command,
  );
  expect(shown).toHaveLength(2);
  for (const command of shown) expect(readme).toContain(`${command}\n`);
  const open = Object.values(readCompose('compose.observability.yaml').services).flatMap(({ ports = [] }) => ports);
  const ports = open.map((port) => port.split(':').at(-1) as string);
  for (const port of ports) expect(readme, port).toContain(port);
});

test('the default of each argument of the build is the one that is said', () => {
  const dockerfile = readFileSync(join(folder, 'Dockerfile'), 'utf8');
  expect(readme).toContain(`| \`NODE_IMAGE\` | \`${/^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile)?.[1]}\` |`);
  const adapters = /^ARG ADAPTERS="(.+)"$/m.exec(dockerfile)?.[1]?.split(' ') ?? [];
  for (const name of adapters) expect(Object.keys(packageJson.peerDependencies)).toContain(name);
});
