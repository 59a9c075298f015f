import { createQueryOptions, useTransport } from '@connectrpc/connect-query';
import { useQueries } from '@tanstack/react-query';
import {
  type HealthFinding,
  KnowledgeHealthService,
  type ListHealthFindingsResponse,
} from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';

/** The check of a corpus is kept as long by the server. */
const staleTime = 15 * 60_000;

/** Returns what the health check found about documents, by id. `pages`: their ids, at most 200 each. Empty until it is known. */
export function useFindings(
  corpus: string,
  pages: readonly (readonly string[])[],
  isEnabled: boolean,
): ReadonlyMap<string, readonly HealthFinding[]> {
  const transport = useTransport();
  return useQueries({
    queries: pages
      .filter((documentIds) => documentIds.length > 0)
      .map((documentIds) => ({
        ...createQueryOptions(
          KnowledgeHealthService.method.listHealthFindings,
          { corpus, documentIds: [...documentIds], pageSize: 200, allowEarlier: true },
          { transport },
        ),
        staleTime,
        enabled: isEnabled,
        // The list is whole without.
        retry: false,
      })),
    combine,
  });
}

// Made once, so that its result stays the same while the replies do.
function combine(
  replies: readonly { data: ListHealthFindingsResponse | undefined }[],
): ReadonlyMap<string, readonly HealthFinding[]> {
  const found = new Map<string, HealthFinding[]>();
  for (const finding of replies.flatMap(({ data }) => data?.findings ?? [])) {
    for (const { documentId } of finding.evidence) found.set(documentId, [...(found.get(documentId) ?? []), finding]);
  }
  return found;
}
