import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { IndexAdminService, VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';

/** The versions of a corpus; an earlier one can become live again. */
export function VersionList({ corpus }: { corpus: string }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const queries = useQueryClient();
  const versions = useQuery(IndexAdminService.method.listVersions, { corpus });
  const held = useQuery(VersionGateService.method.listHeldVersions, { corpus });
  const isHeld = (version: bigint) => held.data?.versions.some(({ report }) => report?.version === version) ?? false;
  const rollback = useMutation(IndexAdminService.method.rollbackVersion);
  const names = texts.versions;
  return (
    <Reply query={versions}>
      {(reply) => (
        <PlainTable
          columns={[names.version, names.state, names.documents, names.chunks, names.model, names.published]}
          actions={names.actions}
          testId="versions"
        >
          {reply.versions.map(({ version, state, documentCount, chunkCount, embeddingModel, publishedAt }) => (
            <tr key={String(version)}>
              <th scope="row">{String(version)}</th>
              <td>
                {isHeld(version) ? (
                  <a href={linkTo('quality', 'held')}>
                    <Badge tone="warning">{texts.gate.held}</Badge>
                  </a>
                ) : (
                  <Badge tone={state === VersionState.LIVE ? 'good' : 'plain'}>{names.states[state]}</Badge>
                )}
              </td>
              <td>{formatCount(documentCount, tag)}</td>
              <td>{formatCount(chunkCount, tag)}</td>
              <td>{embeddingModel}</td>
              <td>{publishedAt && formatWhen(timestampDate(publishedAt), new Date(), tag)}</td>
              <td>
                {state === VersionState.KEPT && (
                  <Confirm
                    label={names.rollback}
                    title={names.rollbackTitle(String(version))}
                    action={names.rollback}
                    onConfirm={async () => {
                      await rollback.mutateAsync({ corpus, version });
                      await queries.invalidateQueries();
                    }}
                    testId="rollback"
                  >
                    <p>{names.rollbackText}</p>
                  </Confirm>
                )}
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
    </Reply>
  );
}
