import { useInfiniteQuery, useMutation } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { Button } from 'react-aria-components/Button';
import type { Source } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Confirm } from '../ui/confirm.tsx';
import { Reply } from '../ui/reply.tsx';

/** Removals that a source holds back because they are too many: which, and their approval. */
export function HeldRemovals({ source }: { source: Source }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const queries = useQueryClient();
  const { sourceId, heldRemovalCount } = source;
  const held = useInfiniteQuery(
    SourceService.method.listSourceDeletions,
    { sourceId, pageSize: 100, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const approve = useMutation(SourceService.method.approveDeletions);
  const count = formatCount(heldRemovalCount, tag);
  return (
    <Notice
      tone="warning"
      title={texts.sources.heldTitle(count)}
      testId="held-removals"
      actions={
        <Confirm
          label={texts.sources.approve}
          title={texts.sources.approveTitle(count)}
          action={texts.sources.approve}
          isDanger
          onConfirm={async () => {
            await approve.mutateAsync({ sourceId, removalCount: heldRemovalCount });
            await queries.invalidateQueries();
          }}
          testId="approve-removals"
        >
          <p>{texts.sources.approveText}</p>
        </Confirm>
      }
    >
      <p>{texts.sources.heldText}</p>
      <Reply query={held}>
        {({ pages }) => (
          <>
            <ul className="plain-list">
              {pages
                .flatMap(({ entryIds }) => entryIds)
                .map((id) => (
                  <li key={id}>{id}</li>
                ))}
            </ul>
            {held.hasNextPage && (
              <Button className="button" onPress={() => held.fetchNextPage()}>
                {texts.more}
              </Button>
            )}
          </>
        )}
      </Reply>
    </Notice>
  );
}
