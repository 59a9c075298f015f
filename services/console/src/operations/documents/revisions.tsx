import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import type { OverlayTarget } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Reply } from '../ui/reply.tsx';

/** Every revision of an edit: who changed what, and when. */
export function Revisions({ target }: { target: Omit<OverlayTarget, '$typeName'> }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const revisions = useQuery(OverlayService.method.listOverlayRevisions, { target });
  return (
    <Reply query={revisions}>
      {(reply) => (
        <ol className="revisions" data-testid="revision-list">
          {reply.revisions.map((revision) => (
            <li key={String(revision.revision)}>
              <span className="faint">
                {revision.changedBy}
                {revision.changedAt !== undefined &&
                  ` · ${formatWhen(timestampDate(revision.changedAt), new Date(), tag)}`}
              </span>
              <span>
                {revision.deleted && texts.document.withdrawn}
                {!revision.deleted && (revision.hidden ? texts.document.hidden : revision.text)}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Reply>
  );
}
