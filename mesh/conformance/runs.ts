import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One run of the suite. */
export interface Run {
  /** Its name; `runs/<name>.yaml` says what is supported. */
  name: string;
  /** What is under test. */
  title: string;
  mode: 'client' | 'server';
  /** For a server: the module that serves. Programs are handed its path, so nothing here imports what is under test. */
  stack?: string;
}

/** All runs. */
export const runs: readonly Run[] = [
  { name: 'grpc-server', title: 'grpc-js mount: gRPC', mode: 'server', stack: 'mesh/conformance/stacks/grpc.ts' },
  { name: 'grpc-client', title: 'grpc-js client: gRPC', mode: 'client' },
  {
    name: 'edge-server',
    title: 'edge: Connect, gRPC-Web, gRPC',
    mode: 'server',
    stack: 'services/edge/testing/conformance-stack.ts',
  },
];

/** The configuration of a run. */
export function configPath({ name }: Run): string {
  return fileURLToPath(new URL(`./runs/${name}.yaml`, import.meta.url));
}

/** Returns the file of a run's known failures; `undefined` without any. */
export function knownFailuresPath({ name }: Run): string | undefined {
  const path = fileURLToPath(new URL(`./runs/${name}.known-failures.txt`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

/** A pattern of test cases that fail, and why. */
export interface KnownFailure {
  pattern: string;
  reason: string;
}

/**
 * Returns a run's known failures: patterns, one per line, each block below comment lines that give the reason. Throws if a
 * pattern has no reason.
 */
export function knownFailuresOf(run: Run): KnownFailure[] {
  const path = knownFailuresPath(run);
  if (path === undefined) return [];
  return readFileSync(path, 'utf8')
    .split(/\n\s*\n/)
    .flatMap((block) => {
      const lines = block.split('\n').filter((line) => line.trim() !== '');
      const comment = lines.filter((line) => line.startsWith('#'));
      const reason = comment.map((line) => line.replace(/^#\s*/, '')).join(' ');
      return lines
        .filter((line) => !line.startsWith('#'))
        .map((pattern) => {
          if (reason === '') throw new Error(`${path}: "${pattern}" needs its reason in a comment above it`);
          return { pattern, reason };
        });
    });
}
