import { ConfigError } from '#kit/base/config-error.ts';
import { createAdapterFiles } from './adapter.ts';
import { createServiceFiles } from './service.ts';
import { applyFiles } from './tree.ts';

// `npm run new`: writes the skeleton of a service or of an adapter, which passes every check from the start.

const help = `npm run new -- service <name>
npm run new -- adapter <service>/<port> <name>

Writes a skeleton that passes every check. Names: lower-case letters, digits and single hyphens, a letter first.
`;

const nameRule = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

function main([kind, first = '', second = '']: readonly string[]): number {
  if (kind === undefined || kind === '--help' || kind === '-h') {
    process.stdout.write(help);
    return 0;
  }
  const name = kind === 'adapter' ? second : first;
  if (!nameRule.test(name)) throw new ConfigError('name', `"${name}" is not a name: write it like "llm-gateway"`);
  switch (kind) {
    case 'service':
      report(applyFiles(createServiceFiles(name)));
      return 0;
    case 'adapter': {
      const [service = '', port = ''] = first.split('/');
      report(applyFiles(createAdapterFiles(service, port, name)));
      return 0;
    }
    default:
      throw new ConfigError('kind', `"${kind}" is unknown`, ['service', 'adapter']);
  }
}

function report(paths: readonly string[]): void {
  process.stdout.write(`${paths.map((path) => `written  ${path}`).join('\n')}\nNow: npm run verify\n`);
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
