import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { HealthFindingKind, type KnowledgeHealthService } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { notFound, rpcError } from '#kit/base/errors.ts';
import { canSee } from '#kit/rpc/access.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { accessListOf, fromPageToken, toPageToken } from '../../convert.ts';
import type { CheckCorpus } from './check-corpus.ts';
import type { Finding } from './finding.ts';

const findingsPerPage = 50;
/** Documents of a finding that are returned. */
const evidencePerFinding = 10;

/** Creates the rpcs of the health of corpora. */
export function createHealthRpcs(checkCorpus: CheckCorpus): ServiceHandlers<typeof KnowledgeHealthService> {
  return {
    async listHealthFindings({ corpus, kind, pageSize, pageToken, documentIds, allowEarlier }, { principal, signal }) {
      const health = await checkCorpus(principal, corpus, signal, allowEarlier);
      if (health === undefined) throw notFound('corpus', corpus, ErrorReason.CORPUS_NOT_FOUND);
      const [revision, first] = pageToken === '' ? [health.revision, 0] : fromPageToken(pageToken, 'string', 'number');
      if (revision !== health.revision) {
        const message = 'page_token: the corpus has changed since: start again without one';
        throw rpcError(Code.Aborted, ErrorReason.REVISION_NOT_REACHED, message, {
          metadata: { revision: health.revision },
        });
      }
      // A finding that names a document which the caller may not see would say what is in it.
      const ids = new Set(documentIds);
      const visible = health.findings.filter(
        ({ evidence }) =>
          evidence.every(({ document }) => canSee(principal, accessListOf(document.groups))) &&
          (ids.size === 0 || evidence.some(({ document }) => ids.has(document.documentId))),
      );
      const wanted = kind === HealthFindingKind.UNSPECIFIED ? visible : visible.filter((one) => one.kind === kind);
      const size = pageSize || findingsPerPage;
      return {
        findings: wanted.slice(first, first + size).map((finding) => toMessage(finding, ids)),
        nextPageToken: first + size < wanted.length ? toPageToken([revision, first + size]) : '',
        counts: [...Map.groupBy(visible, (one) => one.kind)].map(([of, found]) => ({ kind: of, count: found.length })),
        revision,
        documentCount: BigInt(health.documentCount),
        chunkCount: BigInt(health.chunkCount),
        isPartial: health.isPartial,
        checkedAt: timestampFromMs(health.checkedAtMs),
        ...(health.use !== undefined && {
          usedSince: timestampFromMs(health.use.sinceMs),
          answerCount: BigInt(health.use.answerCount),
        }),
      };
    },
  };
}

function toMessage({ kind, evidence, detail, overlap }: Finding, ids: ReadonlySet<string>) {
  // Those that were asked for come first, so that they are among those that are returned.
  const [asked, others] = [true, false].map((is) =>
    evidence.filter(({ document }) => ids.has(document.documentId) === is),
  );
  return {
    ...{ kind, detail, overlap },
    documentCount: evidence.length,
    evidence: [...(asked ?? []), ...(others ?? [])].slice(0, evidencePerFinding).map(({ document, text }) => ({
      documentId: document.documentId,
      title: document.title,
      text,
    })),
  };
}
