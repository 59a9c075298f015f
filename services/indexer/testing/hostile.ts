import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type { Parsed, Parser } from '../parse/parser.ts';
import { createIsolation } from '../prepare/child/isolate.ts';
import type { ParseLimits } from '../prepare/prepared.ts';
import { parseAll } from '../suites/parser.suite.ts';
import type { Order } from './parsers/hostile.ts';

/** The folder with the parser that does what its file orders. */
export const hostileFolder = new URL('./parsers/', import.meta.url);
/** Limits that only a hostile file reaches. */
export const usualLimits: ParseLimits = { memoryBytes: 400 << 20, stallMs: 60_000, totalMs: 60_000 };

/** Creates the parser in a child process, until the test has finished. */
export function createHostile(limits: Partial<ParseLimits> = {}): Parser {
  const isolation = createIsolation({ ...usualLimits, ...limits }, hostileFolder);
  onTestFinished(() => isolation.close());
  return isolation.isolate('hostile', { mediaTypes: [], endings: ['.hostile'], isList: true });
}

/** Parses a file that orders this, after documents with these lines. */
export function runOrder(parser: Parser, order: Order, ...lines: string[]): Promise<Parsed[]> {
  return parseAll(parser, 'a.hostile', [order, ...lines].join('\n'), 8);
}

/** Returns what the promise rejects with. */
export function failureOf(running: Promise<unknown>): Promise<unknown> {
  return running.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Returns the texts of the documents. */
export function textsOf(all: readonly Parsed[]): unknown[] {
  return all.map((parsed) => parsed.kind === 'document' && parsed.document.text);
}

/** Returns what the child process says of itself. */
export async function identify(parser: Parser): Promise<{ pid: number; environment: string[] }> {
  return JSON.parse(String(textsOf(await runOrder(parser, 'identify'))[0]));
}

/** Reports whether a process runs. On Linux, one that has ended and that its parent has not noticed does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
