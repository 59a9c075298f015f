import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery, useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { GetDocumentResponse } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind, OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { JobProgress } from '../jobs/job-progress.tsx';
import { Badge } from '../ui/badge.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Facts } from '../ui/facts.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';
import { attributeFacts } from './attribute-facts.ts';
import { Boost } from './boost.tsx';
import { ChunkList } from './chunk-list.tsx';
import { Conflicts } from './conflicts.tsx';
import { Findings } from './findings.tsx';
import { useFindings } from './use-findings.ts';
import { Visibility } from './visibility.tsx';

const pageSize = 100;

interface DocumentPageProps {
  corpus: string;
  documentId: string;
  roles: readonly Role[];
}

/** A document: what is known about it, and its chunks with what people have changed in them. */
export function DocumentPage({ corpus, documentId, roles }: DocumentPageProps) {
  const document = useQuery(IndexerService.method.getDocument, { corpus, documentId });
  return <Reply query={document}>{(reply) => <Whole {...{ corpus, documentId, roles, reply }} />}</Reply>;
}

interface WholeProps extends DocumentPageProps {
  reply: GetDocumentResponse;
}

function Whole({ corpus, documentId, roles, reply }: WholeProps) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const [jobId, setJobId] = useState('');
  const queries = useQueryClient();
  const chunks = useInfiniteQuery(
    OverlayService.method.listChunks,
    { corpus, documentId, pageSize, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const remove = useMutation(IndexerService.method.deleteDocuments);
  const hide = useMutation(OverlayService.method.putOverlay);
  const show = useMutation(OverlayService.method.deleteOverlay);
  const { document } = reply;
  const findings = useFindings(corpus, [[documentId]], roles.includes(Role.OPERATOR)).get(documentId) ?? [];
  const first = chunks.data?.pages[0];
  const target = { corpus, documentId, kind: OverlayKind.DOCUMENT, contentHash: '' };
  const isHidden = first?.documentOverlay?.hidden === true;
  const date = (at: Parameters<typeof timestampDate>[0] | undefined) =>
    at && new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' }).format(timestampDate(at));

  if (remove.data !== undefined) {
    return (
      <Notice
        tone="plain"
        testId="delete-receipt"
        title={texts.document.deleted}
        actions={
          <a className="button" href={linkTo('documents', corpus)}>
            {texts.document.backToList}
          </a>
        }
      >
        <p>
          {texts.document.receipt(
            documentId,
            formatCount(remove.data.documentCount, tag),
            formatCount(remove.data.chunkCount, tag),
          )}
        </p>
      </Notice>
    );
  }
  return (
    <>
      <PageHead
        title={document?.title || documentId}
        back={{ href: linkTo('documents', corpus), label: corpus }}
        badge={isHidden && <Badge tone="warning">{texts.document.hidden}</Badge>}
      >
        {first !== undefined && (
          <Boost
            target={{ corpus, documentId, kind: OverlayKind.DOCUMENT_BOOST, contentHash: '' }}
            overlay={first.documentBoostOverlay}
            onJob={setJobId}
          />
        )}
        <Confirm
          label={isHidden ? texts.document.show : texts.document.hide}
          title={isHidden ? texts.document.showTitle : texts.document.hideTitle}
          action={isHidden ? texts.document.show : texts.document.hide}
          onConfirm={async () => {
            const done = isHidden
              ? await show.mutateAsync({ target })
              : await hide.mutateAsync({ target, change: { case: 'hidden', value: true } });
            setJobId(done.jobId);
          }}
          testId="hide-document"
        >
          <p>{isHidden ? texts.document.showText : texts.document.hideText}</p>
        </Confirm>
        <Confirm
          label={texts.document.delete}
          title={texts.document.deleteTitle}
          action={texts.document.delete}
          isDanger
          onConfirm={async () => {
            await remove.mutateAsync({ corpus, documentIds: [documentId] });
            await queries.invalidateQueries();
          }}
          testId="delete-document"
        >
          <p>{texts.document.deleteText}</p>
        </Confirm>
      </PageHead>
      {jobId !== '' && (
        <JobProgress
          jobId={jobId}
          onEnd={() => {
            void queries.invalidateQueries();
          }}
        />
      )}
      <Facts
        facts={[
          [texts.document.id, <code key="id">{documentId}</code>],
          [texts.documents.columns.access, <Visibility key="access" access={document?.access} />],
          [
            texts.document.source,
            document?.url && (
              <a key="url" href={document.url} target="_blank" rel="noreferrer">
                {document.url}
              </a>
            ),
          ],
          [texts.document.updated, date(document?.updatedAt)],
          [texts.documents.columns.indexed, date(document?.indexedAt)],
          ...(document === undefined ? [] : attributeFacts(document, texts, tag)),
          [texts.documents.columns.health, findings.length > 0 && <Findings key="health" findings={findings} />],
        ]}
      />
      <Conflicts corpus={corpus} documentId={documentId} onJob={setJobId} />
      <Reply query={chunks}>
        {({ pages }) => (
          <ChunkList
            corpus={corpus}
            documentId={documentId}
            pages={pages}
            hasPages={reply.hasPages}
            onJob={setJobId}
            onMore={chunks.hasNextPage ? () => chunks.fetchNextPage() : undefined}
          />
        )}
      </Reply>
    </>
  );
}
