import type { CallOptions } from '@connectrpc/connect';
import { expect } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind, OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { type ExplainResponse, Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type Remedy, remediesOf } from '../../../services/console/testing/remedies.ts';
import { startWholeMesh } from './whole-mesh.ts';

/** Documents to upload, by path. */
export type Files = Record<
  string,
  string | Buffer | { text: string | Buffer; groups?: string[]; attributes?: Record<string, string> }
>;

/** A document that a search should find. */
export interface Question {
  corpus: string;
  documentId: string;
  query: string;
  more?: object;
  viewAs?: { user: string; groups: string[] };
}

const ended: readonly JobState[] = [JobState.SUCCEEDED, JobState.HELD, JobState.FAILED];

/** Starts a mesh in which documents get lost, for an operator who looks for them. */
export async function startSearchLab(config: NonNullable<Parameters<typeof startWholeMesh>[0]>['config'] = {}) {
  const mesh = await startWholeMesh({ sample: false, config });
  const roles = [Role.READER, Role.EDITOR, Role.OPERATOR];
  const options: CallOptions = await mesh.as(testPrincipal({ roles, groups: ['staff'] }));
  const lab = mesh.client(SearchLabService);
  const indexer = mesh.client(IndexerService);
  const overlays = mesh.client(OverlayService);
  const admin = mesh.client(IndexAdminService);
  const gates = mesh.client(VersionGateService);
  const jobEnd = async (jobId: string): Promise<Job> => {
    for await (const { job } of indexer.watchJob({ jobId }, { ...options, timeoutMs: 120_000 })) {
      if (job !== undefined && ended.includes(job.state)) return job;
    }
    throw new Error('the job did not end');
  };
  const ingest = async (corpus: string, files: Files, deleteMissing = false): Promise<Job> => {
    async function* parts() {
      yield { part: { case: 'start' as const, value: { corpus, deleteMissing } } };
      for (const [path, file] of Object.entries(files)) {
        const given = typeof file === 'string' || Buffer.isBuffer(file) ? { text: file } : file;
        const { text, groups = [], attributes = {} } = given;
        yield { part: { case: 'file' as const, value: { path, access: { groups }, attributes } } };
        yield { part: { case: 'data' as const, value: typeof text === 'string' ? Buffer.from(text) : text } };
      }
    }
    return jobEnd((await indexer.ingestDocuments(parts(), options)).jobId);
  };
  const explain = async ({ corpus, documentId, query, more, viewAs }: Question): Promise<ExplainResponse> => {
    const search = { query, corpora: [corpus], topK: 3, ...more };
    const { explanation } = await lab.explainDocument(
      { search, corpus, documentId, ...(viewAs && { viewAs }) },
      options,
    );
    if (explanation === undefined) throw new Error('no explanation');
    return explanation;
  };
  /** Expects a verdict and its remedies, applies one, and expects the document in the result. */
  const expectFixed = async (
    question: Question,
    verdict: Verdict,
    remedy: Remedy,
    apply: (found: ExplainResponse) => Promise<Partial<Question>> | Promise<void>,
  ) => {
    const found = await explain(question);
    expect(found).toMatchObject({ verdict });
    expect(remediesOf(found)).toContain(remedy);
    const changed = await apply(found);
    expect(await explain({ ...question, ...changed })).toMatchObject({ verdict: Verdict.IN_RESULT });
  };
  const chunkOf = async (corpus: string, documentId: string, part: string) => {
    const { chunks } = await overlays.listChunks({ corpus, documentId }, options);
    const chunk = chunks.find(({ text }) => text.includes(part));
    if (chunk === undefined) throw new Error(`no chunk has "${part}"`);
    return { corpus, documentId, kind: OverlayKind.CHUNK, contentHash: chunk.textHash };
  };
  return { mesh, options, indexer, overlays, admin, gates, jobEnd, ingest, explain, expectFixed, chunkOf };
}

/** Pages that have nothing to do with the document. */
export const fillers = (count: number): Files =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `filler-${at}.md`,
      `# Page ${at}\n\nThe courier of route ${at} drives at noon.`,
    ]),
  );
