import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Version of the suite. A later one may have new cases: raise it together with the lists of known failures. */
export const suiteVersion = 'v1.0.7';

const moduleName = 'connectrpc.com/conformance';

/** The suite, ready to run. */
export interface Suite {
  /** The runner. */
  runner: string;
  /** Descriptors of its contract, for the programs under test. */
  image: string;
}

/** Returns the path of Go; `undefined` if it is not installed. */
export function findGo(): string | undefined {
  return ['go', '/usr/local/go/bin/go'].find((go) => spawnSync(go, ['version']).status === 0);
}

/**
 * Installs the suite into `<root>/node_modules/.cache/conformance`, once a version. The runner is built from its Go module,
 * descriptors from the protos in the module's source.
 */
export function installSuite(go: string, root: string, say: (line: string) => void): Suite {
  const folder = join(root, 'node_modules/.cache/conformance', suiteVersion);
  const suite = { runner: join(folder, 'connectconformance'), image: join(folder, 'image.binpb') };
  mkdirSync(folder, { recursive: true });
  const module = `${moduleName}@${suiteVersion}`;
  if (!existsSync(suite.runner)) {
    say(`installing ${module} by go install, which takes about a minute …`);
    run('env', [`GOBIN=${folder}`, go, 'install', `${moduleName}/cmd/connectconformance@${suiteVersion}`], folder);
  }
  if (!existsSync(suite.image)) {
    const { Dir } = JSON.parse(run(go, ['mod', 'download', '-json', module], folder)) as { Dir: string };
    run(join(root, 'node_modules/.bin/buf'), ['build', join(Dir, 'proto'), '-o', suite.image], folder);
  }
  return suite;
}

function run(command: string, parameters: readonly string[], folder: string): string {
  const result = spawnSync(command, parameters, { cwd: folder, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  const why = result.error?.message ?? result.stderr.trim();
  throw new Error(`${[command, ...parameters].join(' ')} failed: ${why}`);
}
