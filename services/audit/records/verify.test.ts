import type { SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';
import { recordOf } from '../testing/audit.ts';
import { openTables, type Tables } from '../testing/tables.ts';

// Changes by someone with write access to the database. Ten entries of the tenant, and ten of another one. Each second entry was shown the
// documents of the one before it, and refers to its rows.

const entryCount = 10;
const tables = ['entries', 'chains', 'entry_documents'] as const;
type Rows = Record<string, SQLInputValue>[];
let mesh: TestMesh;
let file: Tables;
let original: Record<(typeof tables)[number], Rows>;

beforeAll(async () => {
  mesh = await startTestMesh([audit]);
  for (const tenant of ['acme', 'bolt']) {
    const options = await mesh.as(testPrincipal({ tenant }));
    for (let index = 1; index <= entryCount; index++) {
      const evidence = [{ documentId: `doc-${index - ((index + 1) % 2)}` }, { documentId: 'all' }];
      await mesh.client(AuditService).record(recordOf(`a${index}`, { evidence }), options);
    }
  }
  file = await openTables(mesh);
  original = {
    entries: await file.all('SELECT * FROM entries'),
    chains: await file.all('SELECT * FROM chains'),
    entry_documents: await file.all('SELECT * FROM entry_documents'),
  };
});
afterAll(async () => {
  await file.close();
  await mesh.close();
});

const restore = async () => {
  await file.run('BEGIN');
  for (const table of tables) {
    await file.run(`DELETE FROM ${table}`);
    for (const row of original[table]) {
      const names = Object.keys(row);
      const columns = names.map((name) => `"${name}"`);
      await file.run(`INSERT INTO ${table} (${columns}) VALUES (${names.map(() => '?')})`, ...Object.values(row));
    }
  }
  await file.run('COMMIT');
};
const verify = async (tenant = 'acme') =>
  mesh.client(AuditService).verifyChain({}, await mesh.as(testPrincipal({ tenant })));
const run = async (sql: string, ...params: SQLInputValue[]) => {
  expect(await file.run(sql, ...params)).toBeGreaterThan(0);
};

const sequence = fc.integer({ min: 1, max: entryCount });
const withOwnRows = sequence.filter((at) => at % 2 === 1);
const withReference = sequence.filter((at) => at % 2 === 0);
const flipped = (value: Uint8Array, at: number) => {
  const bytes = Uint8Array.from(value);
  const index = at % bytes.length;
  bytes[index] = (bytes[index] as number) ^ 1;
  return bytes;
};
const bytesOf = (column: string, at: number) =>
  original.entries.find((row) => row.tenant === 'acme' && Number(row.sequence) === at)?.[column] as Uint8Array;

/** Each changes the rows of acme and returns the first sequence that is then wrong. */
const attacks: Record<string, fc.Arbitrary<() => Promise<number>>> = {
  'flips a bit of an entry or a hash': fc
    .tuple(sequence, fc.constantFrom('bytes', 'hash', 'previous_hash'), fc.nat())
    .map(([at, column, bit]) => async () => {
      await run(
        `UPDATE entries SET ${column} = ? WHERE tenant = 'acme' AND sequence = ?`,
        flipped(bytesOf(column, at), bit),
        at,
      );
      return at;
    }),
  'changes a column that entries are found by': fc
    .tuple(sequence, fc.constantFrom(`"user" = 'eve'`, "answer_id = 'other'", 'recorded_at = recorded_at + 1'))
    .map(([at, change]) => async () => {
      await run(`UPDATE entries SET ${change} WHERE tenant = 'acme' AND sequence = ?`, at);
      return at;
    }),
  'removes an entry': sequence.map((at) => async () => {
    await run(`DELETE FROM entries WHERE tenant = 'acme' AND sequence = ?`, at);
    return at;
  }),
  'removes all entries from one on': sequence.map((at) => async () => {
    await run(`DELETE FROM entries WHERE tenant = 'acme' AND sequence >= ?`, at);
    return at;
  }),
  'swaps two entries': fc
    .tuple(sequence, sequence)
    .filter(([a, b]) => a !== b)
    .map(([a, b]) => async () => {
      for (const [from, to] of [
        [a, 100],
        [b, a],
        [100, b],
      ] as const) {
        await run(`UPDATE entries SET sequence = ? WHERE tenant = 'acme' AND sequence = ?`, to, from);
      }
      return Math.min(a, b);
    }),
  'removes an entry and closes the gap': fc.integer({ min: 1, max: entryCount - 1 }).map((at) => async () => {
    await run(`DELETE FROM entries WHERE tenant = 'acme' AND sequence = ?`, at);
    for (let next = at + 1; next <= entryCount; next++) {
      await run(`UPDATE entries SET sequence = ? WHERE tenant = 'acme' AND sequence = ?`, next - 1, next);
    }
    return at;
  }),
  'puts in an entry of another tenant': sequence.map((at) => async () => {
    await run(`DELETE FROM entries WHERE tenant = 'acme' AND sequence = ?`, at);
    await run(`UPDATE entries SET tenant = 'acme' WHERE tenant = 'bolt' AND sequence = ?`, at);
    return at;
  }),
  'adds an entry at the end': fc.constant(async () => {
    await run(
      `INSERT INTO entries SELECT tenant, 11, 'new', "user", recorded_at, bytes, hash, hash, documents_of, redacted_by
        FROM entries WHERE tenant = 'acme' AND sequence = 10`,
    );
    return 11;
  }),
  'hides which document an entry was shown': withOwnRows.map((at) => async () => {
    await run(`DELETE FROM entry_documents WHERE tenant = 'acme' AND sequence = ? AND document_id = 'all'`, at);
    return at;
  }),
  'claims a document that an entry was not shown': sequence.map((at) => async () => {
    await run(`INSERT INTO entry_documents VALUES ('acme', 'forged', ?)`, at);
    return at;
  }),
  'refers an entry to the documents of another one': fc
    .tuple(sequence, sequence)
    .filter(([at, other]) => other % 2 === 1 && other !== at && other !== at - ((at + 1) % 2))
    .map(([at, other]) => async () => {
      await run(`UPDATE entries SET documents_of = ? WHERE tenant = 'acme' AND sequence = ?`, other, at);
      return at;
    }),
  'removes the reference to the documents of an entry': withReference.map((at) => async () => {
    await run(`UPDATE entries SET documents_of = NULL WHERE tenant = 'acme' AND sequence = ?`, at);
    return at;
  }),
  'removes the end of the chain': fc.constant(async () => {
    await run(`DELETE FROM chains WHERE tenant = 'acme'`);
    return 1;
  }),
  'changes the hash at the end': fc.constant(async () => {
    await run(`UPDATE chains SET last_hash = ? WHERE tenant = 'acme'`, new Uint8Array(32));
    return entryCount;
  }),
};

test.each(Object.entries(attacks))('a check finds who %s', async (_, attack) => {
  await fc.assert(
    fc
      .asyncProperty(attack, async (perform) => {
        const firstBad = await perform();
        expect(await verify()).toMatchObject({ intact: false, firstBadSequence: BigInt(firstBad) });
      })
      .afterEach(restore),
    { numRuns: 25 },
  );
  expect(await verify()).toMatchObject({ intact: true, entryCount: BigInt(entryCount), firstBadSequence: 0n });
  expect(await verify('bolt')).toMatchObject({ intact: true });
});

test.each([
  'removes all entries from one on',
  'removes the end of the chain',
  'changes the hash at the end',
  'adds an entry at the end',
])('nothing is appended after somebody %s, and other tenants go on', async (name) => {
  await (fc.sample(attacks[name] as fc.Arbitrary<() => Promise<number>>, 1)[0] as () => Promise<number>)();
  const { record } = mesh.client(AuditService);
  const attacked = await mesh.as();
  // A tenant of its own in each run: what `restore` deletes is a loss.
  const other = await mesh.as(testPrincipal({ tenant: name.replaceAll(' ', '-') }));
  const [bad, good] = await Promise.allSettled([record(recordOf('later'), attacked), record(recordOf('later'), other)]);
  expect(bad).toMatchObject({ status: 'rejected' });
  expect(errorInfoOf((bad as PromiseRejectedResult).reason)?.reason).toBe('AUDIT_CHAIN_BROKEN');
  expect(good).toMatchObject({ status: 'fulfilled', value: { sequence: 1n } });
  await restore();
});
