import { createReadStream } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from '#kit/base/log.ts';

/** The end of a tenant's chain, as it was seen after a commit. */
export interface ChainHead {
  tenant: string;
  sequence: number;
  hash: Uint8Array;
}

/**
 * Ends of the chains outside of the database: a database that was deleted, truncated or replaced by an older copy no longer has
 * the entries that they name.
 */
export interface HeadsFile {
  /** Returns the newest known end of a tenant's chain. */
  of(tenant: string): ChainHead | undefined;
  /** Returns the ends that the file had at the start. */
  readonly atStart: readonly ChainHead[];
  /** Notes an end that is durable in the database. It is in the file within a second. */
  note(head: ChainHead): void;
  /** Writes what has been noted. */
  close(): Promise<void>;
}

/** Time between two writes of the file, in milliseconds. */
const writeMs = 1000;
/** The file is shortened when it has this many lines for each tenant, and at least `minLines`. */
const linesPerTenant = 8;
const minLines = 10_000;

interface Line {
  tenant: string;
  sequence: number;
  hash: string;
  at: string;
}

/** Opens the file, or begins it. Lines are JSON, the last one of a tenant counts; one that is not whole was being written, and is skipped. */
export async function openHeadsFile(path: string, clock: () => number, log: Logger): Promise<HeadsFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const heads = new Map<string, ChainHead>();
  let lineCount = await readLines(path, (head) => heads.set(head.tenant, head));
  const atStart = [...heads.values()];
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const toLine = ({ tenant, sequence, hash }: ChainHead) => {
    const line: Line = {
      tenant,
      sequence,
      hash: Buffer.from(hash).toString('hex'),
      at: new Date(clock()).toISOString(),
    };
    return `${JSON.stringify(line)}\n`;
  };
  const write = async () => {
    const isLong = lineCount > Math.max(minLines, heads.size * linesPerTenant);
    const tenants = isLong ? [...heads.keys()] : [...changed];
    changed.clear();
    if (tenants.length === 0) return;
    const text = tenants.map((tenant) => toLine(heads.get(tenant) as ChainHead)).join('');
    const target = isLong ? `${path}.new` : path;
    const file = await open(target, isLong ? 'w' : 'a', 0o600);
    try {
      await file.write(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    if (isLong) await rename(target, path);
    lineCount = isLong ? tenants.length : lineCount + tenants.length;
  };
  const writeNow = () => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(write).catch((error: unknown) => {
      // The database has the entries; the next write tries again.
      log.error({ event: 'audit_heads_not_written', file: path, err: error }, 'audit heads not written');
    });
    return writing;
  };
  return {
    of: (tenant) => heads.get(tenant),
    atStart,
    note(head) {
      const before = heads.get(head.tenant);
      if (before !== undefined && before.sequence >= head.sequence) return;
      heads.set(head.tenant, head);
      changed.add(head.tenant);
      timer ??= setTimeout(() => void writeNow(), writeMs).unref();
    },
    close: writeNow,
  };
}

async function readLines(path: string, take: (head: ChainHead) => void): Promise<number> {
  let lineCount = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(path, 'utf8') })) {
      lineCount++;
      const head = parse(text);
      if (head !== undefined) take(head);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return lineCount;
}

function parse(text: string): ChainHead | undefined {
  try {
    const { tenant, sequence, hash } = JSON.parse(text) as Partial<Line>;
    if (typeof tenant !== 'string' || !Number.isSafeInteger(sequence) || !/^[\da-f]{64}$/.test(hash ?? ''))
      return undefined;
    return { tenant, sequence: sequence as number, hash: Buffer.from(hash as string, 'hex') };
  } catch {
    return undefined;
  }
}
