import fc from 'fast-check';
import type { Parser } from '../../parse/parser.ts';
import { UnreadableError } from '../../parse/parser.ts';
import { createIsolation } from '../../prepare/child/isolate.ts';
import { loadParsers, parserFolder } from '../../prepare/parsers.ts';
import { type DamagedFile, damagedFiles } from './damage.ts';
import { validFiles } from './valid-files.ts';

/** What the fuzzer of parsers has found. */
export interface ParserFuzzReport {
  count: number;
  /** Files that were read, and that failed as they must, by parser. */
  readCount: Map<string, number>;
  refusedCount: Map<string, number>;
  /** Failures by their words, without numbers. */
  reasons: Map<string, number>;
  /** The longest time of a file of each parser, in milliseconds. */
  slowestMs: Map<string, number>;
  /** What must not happen, with the file in base64; the first 20. */
  faults: { fault: string; parser: string; base64: string }[];
  faultCount: number;
}

/** Limits of a file: long enough for a busy machine, and short enough that a hang is found. */
export const fuzzLimits = { memoryBytes: 1 << 30, stallMs: 60_000, totalMs: 120_000 };
/** Most that a parser may yield for a file of at most 1 MB. */
const maxYields = 200_000;
const maxShown = 20;
const batchSize = 100;

/**
 * Parses `count` damaged files, `concurrency` at a time. A fault is an error that is not a typed failure, a result that is not well-formed, a
 * file that takes longer than its limit, and a failure that says nothing. The same seed makes the same files.
 */
export async function fuzzParsers(options: {
  count: number;
  seed: number;
  concurrency: number;
  progress?: (report: ParserFuzzReport) => void;
}): Promise<ParserFuzzReport> {
  const isolation = createIsolation(fuzzLimits, parserFolder);
  const names = new Map<Parser, string>();
  const report: ParserFuzzReport = {
    ...{ count: 0, readCount: new Map(), refusedCount: new Map(), reasons: new Map(), slowestMs: new Map() },
    ...{ faults: [], faultCount: 0 },
  };
  try {
    const parsers = await loadParsers((name, parser) => {
      const isolated = isolation.isolate(name, parser);
      names.set(isolated, name);
      return isolated;
    });
    const parserOf = ({ path }: DamagedFile) => {
      const ending = path.slice(path.lastIndexOf('.'));
      const found = parsers.find(({ endings }) => endings.includes(ending));
      if (found === undefined) throw new Error(`no parser reads ${ending}`);
      return found;
    };
    const files = await damagedFiles(validFiles());
    for (let batch = 0; report.count < options.count; batch++) {
      const numRuns = Math.min(batchSize, options.count - report.count);
      const queue = fc.sample(files, { numRuns, seed: options.seed + batch });
      const lane = async () => {
        for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
          const fault = await tryFile(parserOf(file), file, report);
          report.count++;
          if (fault === undefined) continue;
          report.faultCount++;
          if (report.faults.length < maxShown)
            report.faults.push({ fault, parser: file.parser, base64: file.bytes.toString('base64') });
        }
      };
      await Promise.all(Array.from({ length: options.concurrency }, lane));
      options.progress?.(report);
    }
  } finally {
    await isolation.close();
  }
  return report;
}

/** Returns what is wrong; `undefined`: the file was read, or failed as it must. */
async function tryFile(parser: Parser, file: DamagedFile, report: ParserFuzzReport): Promise<string | undefined> {
  const startedAt = performance.now();
  const add = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  try {
    let yieldCount = 0;
    const source = { path: file.path, mediaType: '', sizeBytes: file.bytes.length };
    for await (const parsed of parser.parse(source, partsOf(file.bytes))) {
      if (++yieldCount > maxYields) return `more than ${maxYields} results`;
      if (parsed.kind === 'document' && !parsed.document.text.isWellFormed()) return 'a text that is not well-formed';
      if (parsed.kind === 'failure' && parsed.failure.message === '') return 'a failure without words';
    }
    add(report.readCount, file.parser);
    return undefined;
  } catch (error) {
    if (!(error instanceof UnreadableError)) return `${(error as Error).name}: ${(error as Error).message}`;
    add(report.refusedCount, file.parser);
    add(report.reasons, error.message.replace(/\d+/g, 'n').slice(0, 100));
    // A limit of time is a typed failure, but no file of 1 MB may need it.
    return /more than n s to read/.test(error.message.replace(/\d+/g, 'n')) ? error.message : undefined;
  } finally {
    const tookMs = performance.now() - startedAt;
    report.slowestMs.set(file.parser, Math.max(report.slowestMs.get(file.parser) ?? 0, tookMs));
  }
}

async function* partsOf(bytes: Buffer): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 16_384) yield bytes.subarray(start, start + 16_384);
}
