// Runs before every npm script, on any Node from version 20: installs what is missing, so that the script itself finds its
// packages and Node 24. Plain JavaScript for that reason.
//
//   --console   also builds the console page
//   --dev       also installs what only tests and checks need
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = join(root, 'node_modules');
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

const isInstalled = (name) => existsSync(join(packages, name, 'package.json'));
const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];

/** Installs packages, if some are missing or older than the lock file. */
function installPackages() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const dev = Object.keys(devDependencies);
  // npm writes this file last, so an interrupted install is repeated.
  const isCurrent = modifiedMs(join(packages, '.package-lock.json')) >= modifiedMs(join(root, 'package-lock.json'));
  const hasDev = dev.every(isInstalled);
  const needsDev = process.argv.includes('--dev') || (hasDev && !isCurrent);
  if (isCurrent && (hasDev || !needsDev)) return;
  if (needsDev) {
    say('ragmesh: installing packages for tests and checks (once, about a minute) …');
    // Beside a production install the missing packages are added, and a running server keeps its files.
    run('npm', [...(isCurrent ? ['install', '--no-save', '--include=dev'] : ['ci', '--include=dev']), ...quiet]);
  } else {
    say('ragmesh: installing packages (once, about half a minute) …');
    // Without install scripts: the only one of these packages that has one is Node itself, below.
    run('npm', ['ci', '--omit=dev', '--ignore-scripts', ...quiet]);
  }
}

/** Installs Node 24 into the packages, unless this Node is one that can run ragmesh. */
function installNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const folder = join(packages, 'node');
  const hasOwn = ['node', 'node.exe'].some((name) => existsSync(join(folder, 'bin', name)));
  if (hasOwn || (major === 24 && minor >= 2)) return;
  say('ragmesh: installing Node 24 (once) …');
  run('npm', ['rebuild', 'node', ...quiet]);
  // What remains there are C++ headers and a second link to the program.
  rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
}

/** Builds the console page, if its sources are newer. */
function buildConsole() {
  const folder = join(root, 'services', 'console');
  const built = modifiedMs(join(folder, 'dist', 'index.html'));
  const sources = ['src', 'index.html', 'vite.config.ts'].map((name) => join(folder, name));
  if (built >= Math.max(...sources.map(newestMs))) return;
  say('ragmesh: building the console page …');
  run('npm', ['run', '--silent', 'console:build']);
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  say(`ragmesh: Node ${process.versions.node} is too old; install Node 20 or later.`);
  process.exit(1);
}
installPackages();
installNode();
if (process.argv.includes('--console')) buildConsole();
