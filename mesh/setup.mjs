// Runs before every npm script, on whatever Node (20 or later) is there: installs what is missing, so that the script
// itself finds its packages and Node 24. Plain JavaScript for that reason.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (text) => process.stderr.write(`${text}\n`);

function run(command, args) {
  // npm is a .cmd file on Windows, which only a shell can start.
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  say(
    `ragmesh: "${command} ${args.join(' ')}" failed${error ? `: ${error.message}` : ''}. Run it by hand to see why, then try again.`,
  );
  process.exit(1);
}

function modifiedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function newestMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  say(`ragmesh: Node ${process.versions.node} is too old; install Node 20 or later.`);
  process.exit(1);
}

// npm writes this file last, so an install that was cut off is done again.
const installed = join(root, 'node_modules', '.package-lock.json');
if (modifiedMs(installed) < modifiedMs(join(root, 'package-lock.json'))) {
  say('ragmesh: installing packages (once, about half a minute) …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

if (process.argv.includes('--console')) {
  const folder = join(root, 'services', 'console');
  const built = modifiedMs(join(folder, 'dist', 'index.html'));
  const sources = ['src', 'index.html', 'vite.config.ts'].map((name) => join(folder, name));
  if (built < Math.max(...sources.map(newestMs))) {
    say('ragmesh: building the console page …');
    run('npm', ['run', '--silent', 'console:build']);
  }
}
