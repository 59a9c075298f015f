import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { JobState, NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type GenerateRequest, LLMGatewayService, Outcome, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { defineService } from '#kit/host/define-service.ts';
import { type IndexerMesh, startIndexerMesh } from '../../testing/indexer-mesh.ts';

const asked: GenerateRequest[] = [];
let isAway = false;
const gateway = defineService({
  name: 'llm-gateway',
  contracts: [LLMGatewayService],
  config: () => ({}),
  needs: {},
  create: async () => ({
    close: async () => {},
    impl: {
      async *generate(request) {
        asked.push(request);
        if (isAway) throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'away');
        yield { event: { case: 'textDelta' as const, value: { text: '1: About lamps.\n1? How are lamps returned?' } } };
        yield { event: { case: 'done' as const, value: { outcome: Outcome.COMPLETE } } };
      },
      listModels: async () => ({ models: [] }),
    },
  }),
});

let mesh: IndexerMesh;
beforeAll(async () => {
  mesh = await startIndexerMesh({
    services: [gateway],
    config: { enrichment: { model: 'small', questions: 1, corpora: ['help'] } },
  });
});
afterAll(() => mesh[Symbol.asyncDispose]());

const contextOf = (documentId: string) => mesh.index.live('help').get(documentId)?.chunks[0]?.context;

test('chunks are indexed with what the model writes, and an unchanged document asks for nothing', async () => {
  await mesh.ingest({ 'lamps.md': '# Lamps\n\nLamps go back within a week.' });
  expect(contextOf('lamps.md')).toBe('About lamps.\nHow are lamps returned?');
  expect(asked).toMatchObject([{ model: 'small', task: Task.ENRICH, temperature: 0 }]);
  await mesh.ingest({ 'lamps.md': '# Lamps\n\nLamps go back within a week.' });
  expect(asked).toHaveLength(1);
});

test('if the model is away, the document is indexed, the job has a note, and the next upload asks again', async () => {
  isAway = true;
  const chairs = { 'chairs.md': '# Chairs\n\nChairs go back within a month.' };
  const job = await mesh.ingest(chairs);
  expect(job).toMatchObject({ state: JobState.SUCCEEDED, progress: { indexedCount: 1n, failedCount: 0n } });
  expect(contextOf('chairs.md')).toBe('');
  const { totals } = await mesh.client.listNotes({ jobId: job.jobId }, await mesh.as());
  expect(totals).toMatchObject([{ kind: NoteKind.NOT_ENRICHED, fileCount: 1n }]);
  // Nothing has changed while it is away.
  expect(await mesh.ingest(chairs)).toMatchObject({
    state: JobState.SUCCEEDED,
    progress: { indexedCount: 0n, unchangedCount: 1n },
  });
  isAway = false;
  await mesh.ingest(chairs);
  expect(contextOf('chairs.md')).toContain('About lamps.');
});

test('documents of other corpora are not enriched', async () => {
  const before = asked.length;
  await mesh.ingest({ 'lamps.md': 'Lamps.' }, { corpus: 'other' });
  expect(asked).toHaveLength(before);
});

test('documents that are embedded again keep what was written about them', async () => {
  const before = asked.length;
  const { jobId } = await mesh.client.reindexCorpus({ corpus: 'help' }, await mesh.as());
  await mesh.finish(jobId);
  expect(asked).toHaveLength(before);
  expect(contextOf('lamps.md')).toContain('About lamps.');
});
