import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { AuditExportFormat, ExportAuditResponseSchema } from '#gen/ragmesh/audit/v1/audit_export_pb.ts';
import { type ExportOptions, exportTo } from './export.ts';
import { type BlobTarget, openBlobSink } from './sinks/blob-sink.ts';
import { openFileSink } from './sinks/file-sink.ts';
import { openHttpSink } from './sinks/http-sink.ts';
import type { ExportSink } from './sinks/sink.ts';

// Exports that end at any moment, as by a kill: whatever happened before, the next one leaves each entry in the target exactly once.

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-export-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { signal } = new AbortController();
let fileCount = 0;
const newPath = () => join(folder, `export-${++fileCount}`);
const lineOf = (sequence: number) =>
  JSON.stringify({ sequence: String(sequence), tenant: 'acme', text: '行\\n'.repeat(sequence % 5) });

/** An audit of `count` entries that streams at most `most` of them a call. */
const auditOf = (count: number, most = 1000): ExportOptions => ({
  format: AuditExportFormat.JSON,
  withHashedBytes: false,
  client: {
    async *exportAudit({ afterSequence = 0n, limit = 0 }) {
      const end = Math.min(count, Number(afterSequence) + Math.min(limit, most));
      for (let sequence = Number(afterSequence) + 1; sequence <= end; sequence++) {
        yield create(ExportAuditResponseSchema, { sequence: BigInt(sequence), line: lineOf(sequence) });
      }
    },
  },
});
const expected = (count: number) => Array.from({ length: count }, (_, index) => lineOf(index + 1));
const linesOf = (text: string) => text.split('\n').slice(0, -1);

/** Runs an export that is killed after `writes` batches. */
async function killed(sink: ExportSink, options: ExportOptions, writes: number) {
  let left = writes;
  const dying: ExportSink = {
    ...sink,
    async write(batch, ends) {
      if (left-- === 0) throw new Error('killed');
      await sink.write(batch, ends);
    },
  };
  await exportTo(dying, options, signal).catch((error: Error) => expect(error.message).toBe('killed'));
  await sink.close();
}

const runs = fc.array(fc.record({ writes: fc.nat({ max: 4 }), torn: fc.nat({ max: 40 }) }), { maxLength: 4 });

test('a file has each entry once, also after a write that was torn', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 7 }),
      runs,
      async (count, most, kills) => {
        const path = newPath();
        for (const { writes, torn } of kills) {
          await killed(await openFileSink(path, 'acme', 0), auditOf(count, most), writes);
          const size = readFileSync(path).length;
          // What a batch in flight has left: a part of its lines.
          if (torn % 2 === 0) appendFileSync(path, '{"sequence":"9","tena');
          else truncateSync(path, Math.max(0, size - torn));
        }
        const sink = await openFileSink(path, 'acme', 0);
        await exportTo(sink, auditOf(count, most), signal);
        await sink.close();
        expect(linesOf(readFileSync(path, 'utf8'))).toEqual(expected(count));
      },
    ),
    { numRuns: 60 },
  );
});

test('a file of another tenant, and one that another program writes to, are refused', async () => {
  const path = newPath();
  const sink = await openFileSink(path, 'acme', 0);
  await exportTo(sink, auditOf(3), signal);
  appendFileSync(path, 'x\n');
  await expect(sink.write({ after: 3, last: 4, lines: [lineOf(4)] }, signal)).rejects.toThrow(/another program/);
  await sink.close();
  truncateSync(path, readFileSync(path).length - 2);
  const other = await openFileSink(path, 'bolt', 0);
  await expect(other.resume()).rejects.toThrow(/"acme"/);
  await other.close();
});

/** A store of blobs in memory. A name without bytes is a write that has not ended. */
function memoryStore() {
  const blobs = new Map<string, Uint8Array | undefined>();
  const store: BlobTarget = {
    async write(name, bytes) {
      const parts: Uint8Array[] = [];
      for await (const part of bytes) parts.push(part);
      blobs.set(name, Buffer.concat(parts));
    },
    read: async (name) => blobs.get(name),
    remove: async (name) => void blobs.delete(name),
    async *list() {
      for (const name of [...blobs.keys()].reverse()) yield { name };
    },
    close: async () => {},
  };
  const text = () =>
    [...blobs.keys()]
      .sort()
      .map((name) => Buffer.from(blobs.get(name) ?? '').toString())
      .join('');
  return { blobs, store, text };
}

test('blobs have each entry once, and a write that has not ended is none', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 7 }),
      runs,
      async (count, most, kills) => {
        const { blobs, store, text } = memoryStore();
        for (const { writes } of kills) {
          await killed(openBlobSink(store, 0), auditOf(count, most), writes);
          const next = linesOf(text()).length + 1;
          const digits = (sequence: number) => String(sequence).padStart(16, '0');
          if (next <= count) blobs.set(`${digits(next)}-${digits(count)}.jsonl`, undefined);
        }
        await exportTo(openBlobSink(store, 0), auditOf(count, most), signal);
        expect(linesOf(text())).toEqual(expected(count));
      },
    ),
    { numRuns: 60 },
  );
});

test('a collector that knows the key of a batch has each entry once, also if a kill came between reply and position', async () => {
  const step = fc.constantFrom('accept', 'lose reply', 'refuse', 'kill' as const);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 7 }),
      fc.array(step, { maxLength: 8 }),
      async (count, most, steps) => {
        const statePath = newPath();
        const seen = new Map<string, string>();
        let isKilled = false;
        const fetch = async (_: unknown, init?: RequestInit) => {
          const next = steps.shift() ?? 'accept';
          if (next === 'refuse') return new Response(null, { status: 503 });
          const key = new Headers(init?.headers).get('idempotency-key') ?? '';
          if (!seen.has(key)) seen.set(key, String(init?.body));
          if (next === 'lose reply') throw new TypeError('fetch failed');
          if (next === 'kill') {
            isKilled = true;
            return new Response(null, { status: 400 });
          }
          return new Response(null, { status: 204 });
        };
        const limits = { timeoutMs: 60_000, attempts: 20, backoffMs: 1, clock: () => 0 };
        const open = () =>
          openHttpSink({
            ...{
              url: 'https://collector.example',
              secret: 's',
              authorization: '',
              tenant: 'acme',
              after: 0,
              statePath,
            },
            ...{ ...limits, fetch: fetch as typeof globalThis.fetch },
          });
        do {
          isKilled = false;
          await exportTo(open(), auditOf(count, most), signal).catch((error: unknown) => {
            if (!isKilled) throw error;
          });
        } while (isKilled);
        expect([...seen.values()].flatMap(linesOf)).toEqual(expected(count));
      },
    ),
    { numRuns: 60 },
  );
});

test('the position of a collector is of one tenant and one address', async () => {
  const statePath = newPath();
  const open = (url: string, tenant: string) =>
    openHttpSink({
      ...{ url, tenant, secret: 's', authorization: 'Splunk x', after: 0, statePath, timeoutMs: 60_000, attempts: 1 },
      ...{ backoffMs: 1, clock: () => 1_700_000_000_000 },
      fetch: async (_, init) => {
        const headers = new Headers(init?.headers);
        expect(headers.get('authorization')).toBe('Splunk x');
        expect(headers.get('idempotency-key')).toBe('acme/1-3');
        expect(headers.get('x-ragmesh-signature')).toMatch(/^t=1700000000,v1=[0-9a-f]{64}$/);
        return new Response(null, { status: 200 });
      },
    });
  await exportTo(open('https://a.example', 'acme'), auditOf(3), signal);
  await expect(open('https://a.example', 'bolt').resume()).rejects.toThrow(/"acme"/);
  await expect(open('https://b.example', 'acme').resume()).rejects.toThrow(/a\.example/);
});
