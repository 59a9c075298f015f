import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { invalidArgument, unavailable } from '#kit/base/errors.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { toGuardError } from '#kit/http/guard/guard.ts';
import type { Entry, Fetched, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  url: z
    .string()
    .min(1)
    .max(1024)
    .describe('http or https address of the repository, or its folder in allowed_folders'),
  branch: z
    .string()
    .max(255)
    .regex(/^(?!-)[\w./-]*$/)
    .describe('Empty: the default branch')
    .default(''),
  prefix: z.string().max(512).describe('Folder of the repository that is read, such as "docs/"').default(''),
  endings: z
    .array(z.string().min(1).max(32))
    .max(100)
    .describe('Endings of the files that are read. Empty: all')
    .default(['.md', '.html', '.txt', '.csv', '.jsonl', '.pdf', '.docx', '.rst', '.adoc']),
  user: z.string().max(128).describe('User of the token').default('git'),
  token: secret().describe('Token or password; empty for public repositories').default(''),
  url_prefix: z.string().max(1024).describe('Address of a file without its path, for readers').default(''),
  timeout_ms: z.int().min(1000).max(3_600_000).describe('Longest time to fetch the branch').default(300_000),
};

const listBytesMax = 256 << 20;
const pageMax = 500;
const ref = 'refs/ragmesh/head';

/** Reads the files of a branch of a Git repository, by the command `git`. A shallow copy is kept between runs. The path of a file is its id. */
export const adapter = defineAdapter({
  settings,
  async create(given, deps: SourceDeps): Promise<Source> {
    const { url, configuration } = await placeOf(given, deps);
    const copy = join(await deps.scratchFolder(), 'repository.git');
    const git = (args: readonly string[], signal: AbortSignal, maxBuffer = listBytesMax) =>
      run(copy, args, configuration, { signal, timeout: given.timeout_ms, maxBuffer });
    let blobs: Map<string, string> | undefined;

    const fetchBranch = async (signal: AbortSignal) => {
      signal.throwIfAborted();
      if (!existsSync(join(copy, 'HEAD'))) await git(['init', '--quiet', '--bare', copy], signal);
      await deps.pace(signal);
      const from = given.branch === '' ? 'HEAD' : given.branch;
      const only = ['--depth=1', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--force', '--quiet'];
      await git(['fetch', ...only, '--', url, `+${from}:${ref}`], signal);
    };
    const list = async (signal: AbortSignal): Promise<Entry[]> => {
      await fetchBranch(signal);
      const tree = await git(['ls-tree', '-r', '-z', '--full-tree', ref], signal);
      blobs = new Map(
        tree
          .toString()
          .split('\0')
          .flatMap((line): [string, string][] => {
            // Links and submodules have other modes.
            const [, hash = '', path = ''] = /^100(?:644|755) blob ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
            return path !== '' && isWanted(path, given) ? [[path, hash]] : [];
          }),
      );
      return [...blobs].map(([id, version]) => ({ id, version }));
    };
    return {
      listsAll: true,
      async *changes(_, signal) {
        const entries = await list(signal);
        for (let at = 0; at === 0 || at < entries.length; at += pageMax)
          yield { entries: entries.slice(at, at + pageMax) };
      },
      async *ids(signal) {
        yield (await list(signal)).map(({ id }) => id);
      },
      async fetch(id, _, signal): Promise<Fetched> {
        if (blobs === undefined) await list(signal);
        const hash = blobs?.get(id);
        if (hash === undefined) return { kind: 'gone' };
        const size = Number(await git(['cat-file', '-s', hash], signal));
        if (size > deps.maxBytes) return { kind: 'gone' };
        const bytes = await git(['cat-file', 'blob', hash], signal, size + 1024);
        const address = given.url_prefix === '' ? '' : given.url_prefix + encodeURI(id);
        return { kind: 'content', content: { bytes, mediaType: '', url: address } };
      },
      close: async () => {},
    };
  },
});

type GitSettings = Parameters<typeof adapter.create>[0];

const isWanted = (path: string, { prefix, endings }: Pick<GitSettings, 'prefix' | 'endings'>) =>
  path.length <= 1024 &&
  path.startsWith(prefix) &&
  (endings.length === 0 || endings.some((ending) => path.toLowerCase().endsWith(ending)));

/** Returns the address for `git`, and the configuration with which it reaches nothing else. */
async function placeOf({ url, user, token }: GitSettings, { guard, allowPath }: SourceDeps) {
  const configuration: [string, string][] = [
    ['protocol.allow', 'never'],
    ['core.hooksPath', '/dev/null'],
    ['credential.helper', ''],
    ['gc.auto', '0'],
    ['safe.directory', '*'],
  ];
  if (!/^[a-z]+:/i.test(url)) {
    const folder = await allowPath(url);
    return {
      url: `file://${folder}`,
      configuration: [...configuration, ['protocol.file.allow', 'always']] as typeof configuration,
    };
  }
  const place = URL.canParse(url) ? new URL(url) : undefined;
  if (place === undefined || !/^https?:$/.test(place.protocol) || place.username !== '' || place.password !== '') {
    throw invalidArgument('settings.settings.url: must be an http or https address without a password, or a folder');
  }
  const port = Number(place.port) || (place.protocol === 'https:' ? 443 : 80);
  const addresses = await guard
    .resolve(place.hostname, port)
    .catch((error: unknown) => Promise.reject(toGuardError(error)));
  const list = addresses.map(({ address, family }) => (family === 6 ? `[${address}]` : address)).join(',');
  configuration.push(
    [`protocol.${place.protocol.slice(0, -1)}.allow`, 'always'],
    // The addresses that were checked, whatever a name server says later.
    ['http.curloptResolve', `${place.hostname}:${port}:${list}`],
    ['http.followRedirects', 'false'],
    ['http.lowSpeedLimit', '1000'],
    ['http.lowSpeedTime', '60'],
  );
  if (token !== '') {
    const login = Buffer.from(`${user}:${token}`).toString('base64');
    configuration.push([`http.${place.origin}/.extraHeader`, `Authorization: Basic ${login}`]);
  }
  return { url: place.href, configuration };
}

/** Runs `git` in the copy. Its configuration is in the environment, which other users of the machine do not see, unlike arguments. */
function run(
  copy: string,
  args: readonly string[],
  configuration: readonly [string, string][],
  options: { signal: AbortSignal; timeout: number; maxBuffer: number },
): Promise<Buffer> {
  const env: Record<string, string> = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    GIT_DIR: copy,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_CONFIG_COUNT: String(configuration.length),
  };
  for (const [index, [key, value]] of configuration.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return new Promise((resolve, reject) => {
    execFile('git', args, { ...options, env, encoding: 'buffer', killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (options.signal.aborted) return reject(options.signal.reason);
      if (error.code === 'ENOENT') return reject(unavailable('git', 'there is no command "git": install it', error));
      reject(unavailable('git', `the repository cannot be read: ${wordsOf(stderr)}`, error));
    });
  });
}

/** Returns the last line of what git says, which has no secrets: they are in headers. */
function wordsOf(stderr: Buffer): string {
  const lines = stderr.toString().trim().split('\n');
  return (lines.findLast((line) => line.startsWith('fatal:')) ?? lines.at(-1) ?? '').slice(0, 300);
}
