import { hash } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { askWhole, startWholeMesh } from '../../e2e/testing/whole-mesh.ts';

/** Documents of the corpus "large", and sessions. */
export const listCount = 10_000;

/** The key of an operator. */
export const operatorKey = 'lead';

/** Sessions that are begun at the same time. */
const concurrency = 8;
const questions = ['How long may I return bedding?', 'How do I pay?', 'What does delivery cost?', '退货政策是什么'];

/** A mesh with as many documents and sessions. */
export async function startLongLists(): Promise<AsyncDisposable & { edgeUrl: string }> {
  const roles = [Role.READER, Role.EDITOR, Role.OPERATOR, Role.AUDITOR];
  const key = { id: operatorKey, sha256: hash('sha256', operatorKey), tenant: 'demo', user: operatorKey, groups: [] };
  const mesh = await startWholeMesh({ config: { edge: { apiKeys: [{ ...key, roles }] } } });
  const sessionManager = new Http2SessionManager(mesh.edgeUrl);
  const transport = createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2', sessionManager });
  const options = { headers: { authorization: `Bearer ${operatorKey}` } };
  await ingest();
  await begin();
  // An idle connection would keep the process for minutes.
  sessionManager.abort();
  return { edgeUrl: mesh.edgeUrl, [Symbol.asyncDispose]: () => mesh.close() };

  async function ingest(): Promise<void> {
    const client = createClient(IndexerService, transport);
    const documentOf = (at: number) => ({
      id: `d${at}`,
      title: `Article ${at}`,
      text: `Paragraph ${at}.`,
      owner: 'ann',
    });
    const lines = Array.from({ length: listCount }, (_, at) => JSON.stringify(documentOf(at)));
    const parts = async function* () {
      yield { part: { case: 'start' as const, value: { corpus: 'large' } } };
      yield { part: { case: 'file' as const, value: { path: 'all.jsonl' } } };
      yield { part: { case: 'data' as const, value: Buffer.from(lines.join('\n')) } };
    };
    const { jobId } = await client.ingestDocuments(parts(), options);
    for await (const { job } of client.watchJob({ jobId }, { ...options, timeoutMs: 600_000 })) {
      if (job?.state === JobState.SUCCEEDED) return;
    }
    throw new Error('the documents could not be indexed');
  }

  async function begin(): Promise<void> {
    const client = createClient(ChatService, transport);
    let begun = 0;
    const asker = async () => {
      while (begun < listCount) {
        const question = questions[begun++ % questions.length] as string;
        await askWhole(client, { question, createSession: true, corpora: ['shop'] }, options);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, asker));
  }
}
