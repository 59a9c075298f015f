import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { type SessionSchema, sessionMigrations } from '../schema.ts';
import { createSessions } from '../sessions.ts';
import { createGroupSessions } from './group-sessions.ts';

const ann = { tenant: 'acme', user: 'ann' };
/** A poll waits for the condition, not for a time. */
const patiently = { timeout: 10_000 };
const mallory = { tenant: 'acme', user: 'mallory' };
const ask = { sessionId: 's1', isNewSession: true, answerId: 'a1', question: 'Returns?', askedAtMs: 1_767_225_600_000 };

/** Two processes of a group over the sessions of one of them. */
async function startGroup() {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-group-sessions-'));
  const thread = createSqliteThread();
  const database = await openDatabase<SessionSchema>(thread, join(folder, 'sessions.db'), sessionMigrations.sqlite);
  const kept = 86_400_000;
  const sessions = createSessions({
    ...{ database, clock: () => ask.askedAtMs, sessionMs: kept, feedbackMs: kept },
    ...{ replica: 'one', newId: () => 'id', log: createLogger('silent') },
  });
  onTestFinished(async () => {
    await sessions.close();
    await database.destroy();
    await thread.close();
    rmSync(folder, { recursive: true });
  });
  const connect = createGroupSessions(sessions);
  return { a: connect(), b: connect(), turns: async () => (await sessions.get(ann, 's1'))?.turns };
}

test('a process stops an answer of another one, which says that it was stopped', async () => {
  const { a, b, turns } = await startGroup();
  await a.port.open(ann, ask);
  await b.port.stop(mallory, 's1', 'a1');
  await b.port.stop(ann, 's1', 'another');
  expect(await a.port.stopsWanted()).toEqual([]);
  const end = async () => {
    await expect.poll(() => a.port.stopsWanted(), patiently).toEqual(['a1']);
    expect(await b.port.stopsWanted()).toEqual([]);
    const turn = { answer: 'Within', citations: [], outcome: AnswerOutcome.TRUNCATED, model: 'm', isStopped: true };
    await a.port.record({ ...ann, ...ask, mayCreate: false, turn });
  };
  await Promise.all([b.port.stop(ann, 's1', 'a1'), end()]);
  expect(await turns()).toMatchObject([{ answerId: 'a1', answer: 'Within', stopped: true }]);
  expect(await a.port.stopsWanted()).toEqual([]);
});

test('an answer of a process that has ended is an interrupted one', async () => {
  const { a, b, turns } = await startGroup();
  await a.port.open(ann, ask);
  a.close();
  await expect.poll(turns, patiently).toMatchObject([{ answerId: 'a1', answer: '', outcome: AnswerOutcome.TRUNCATED }]);
  await b.port.stop(ann, 's1', 'a1');
});
