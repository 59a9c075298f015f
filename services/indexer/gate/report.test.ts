import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { GateCheckKind, GateFindingKind } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type IndexerMesh, startIndexerMesh } from '../testing/indexer-mesh.ts';

let mesh: IndexerMesh;
beforeAll(async () => {
  mesh = await startIndexerMesh();
});
afterAll(() => mesh.mesh.close());

test('a job and its gate say nothing to editors of documents that they may not see', async () => {
  const editor = (user: string, ...groups: string[]) => testPrincipal({ user, groups, roles: [Role.EDITOR] });
  const [sam, kim, ed] = [editor('sam', 'staff'), editor('kim', 'staff', 'lead'), editor('ed')];
  const closed = await mesh.ingest(
    { 'a.md': { content: 'a', groups: ['staff'] }, 'b.md': 'b', 'secret.md': Buffer.from([0xff]) },
    { corpus: 'team', principal: sam },
  );
  const open = await mesh.ingest({ 'c.md': 'c' }, { corpus: 'team', principal: ed });
  const listed = async (principal: Principal, pageSize = 1) => {
    const page = await mesh.client.listJobs({ corpus: 'team', pageSize }, await mesh.as(principal));
    return page.jobs.map(({ jobId }) => jobId);
  };
  expect(await listed(ed, 5)).toEqual([open.jobId]);
  expect(await listed(sam, 5)).toEqual([open.jobId, closed.jobId]);
  expect(await listed(kim)).toEqual([open.jobId]);
  const own = await mesh.as(ed);
  const { jobId } = closed;
  const work = [
    mesh.client.getJob({ jobId }, own),
    mesh.client.listFailures({ jobId }, own),
    mesh.client.listNotes({ jobId }, own),
    mesh.client.cancelJob({ jobId }, own),
    mesh.client.retryJob({ jobId }, own),
  ];
  for (const each of work) await expect(each).rejects.toMatchObject({ code: Code.NotFound });
  const seen = (await mesh.client.getJob({ jobId: open.jobId }, own)).job?.gate;
  const whole = (await mesh.client.getJob({ jobId: open.jobId }, await mesh.as())).job?.gate;
  const sizeOf = (report: typeof seen) => report?.checks.find(({ kind }) => kind === GateCheckKind.SIZE);
  expect(sizeOf(whole)?.finding).toBe('2 documents became 3; 2 chunks became 3');
  const { DOCUMENT_COUNT, CHUNK_COUNT } = GateFindingKind;
  expect(sizeOf(whole)?.findings).toMatchObject(
    [DOCUMENT_COUNT, CHUNK_COUNT].map((kind) => ({ kind, live: 2, checked: 3 })),
  );
  expect(sizeOf(seen)).toMatchObject({ passed: true, finding: '', findings: [], checkedCount: 0n });
  expect(seen?.checks.map(({ kind }) => kind)).toEqual(whole?.checks.map(({ kind }) => kind));
});
