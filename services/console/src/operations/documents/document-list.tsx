import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useMemo, useState } from 'react';
import type { Document } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { type DataColumn, DataTable } from '../ui/data-table.tsx';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';
import { SearchBox } from '../ui/search-box.tsx';
import { Visibility } from './visibility.tsx';

const pageSize = 200;

/** The documents of a corpus that the user may see. */
export function DocumentList({ corpora, corpus }: { corpora: readonly Corpus[]; corpus: string }) {
  const texts = useOperationTexts();
  const [search, setSearch] = useState('');
  const documents = useInfiniteQuery(
    IndexerService.method.listDocuments,
    { corpus, search, pageSize, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const count = corpora.find(({ name }) => name === corpus)?.documentCount ?? 0n;
  const { tag } = useMessages();
  return (
    <>
      <PageHead title={corpus}>
        <Choice
          label={texts.documents.corpus}
          isLabelHidden
          value={corpus}
          options={corpora.map(({ name }) => ({ value: name, label: name }))}
          onChange={(name) => {
            window.location.hash = linkTo('documents', name);
          }}
          testId="corpus"
        />
        <SearchBox label={texts.documents.search} onSearch={setSearch} testId="document-search" />
        <a className="button primary" href={linkTo('documents', corpus, 'upload')} data-testid="upload-link">
          {texts.documents.upload}
        </a>
      </PageHead>
      <p className="page-note" role="status">
        {texts.documents.count(formatCount(count, tag), count === 1n)}
      </p>
      <Reply query={documents}>
        {({ pages }) => (
          <Rows
            corpus={corpus}
            documents={pages.flatMap((page) => page.documents)}
            isSearched={search !== ''}
            onMore={documents.hasNextPage ? () => documents.fetchNextPage() : undefined}
            isLoadingMore={documents.isFetchingNextPage}
          />
        )}
      </Reply>
    </>
  );
}

interface RowsProps {
  corpus: string;
  documents: readonly Document[];
  isSearched: boolean;
  onMore: (() => void) | undefined;
  isLoadingMore: boolean;
}

function Rows({ corpus, documents, isSearched, onMore, isLoadingMore }: RowsProps) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const columns = useMemo((): DataColumn<Document>[] => {
    const { columns: names } = texts.documents;
    return [
      {
        id: 'title',
        name: names.title,
        width: '4fr',
        isImportant: true,
        cell: ({ title, documentId }) => (
          <span className="two-lines">
            <span className="strong">{title || documentId}</span>
            <span className="faint">{documentId}</span>
          </span>
        ),
      },
      { id: 'access', name: names.access, width: '2fr', cell: ({ access }) => <Visibility access={access} /> },
      { id: 'owner', name: names.owner, width: '1fr', cell: ({ attributes }) => attributes.owner || '–' },
      { id: 'review', name: names.review, width: '1fr', cell: ({ attributes }) => attributes.review_at || '–' },
      {
        id: 'indexed',
        name: names.indexed,
        width: '1fr',
        cell: ({ indexedAt }) => indexedAt && formatWhen(timestampDate(indexedAt), new Date(), tag),
      },
      { id: 'chunks', name: names.chunks, width: 90, cell: ({ chunkCount }) => formatCount(chunkCount, tag) },
    ];
  }, [texts, tag]);
  if (documents.length === 0 && onMore === undefined) {
    return isSearched ? (
      <Empty title={texts.documents.noneFound} text={texts.documents.noneFoundText} />
    ) : (
      <Empty title={texts.documents.none} text={texts.documents.noneText}>
        <a className="button primary" href={linkTo('documents', corpus, 'upload')}>
          {texts.documents.upload}
        </a>
      </Empty>
    );
  }
  return (
    <DataTable
      label={texts.documents.tableOf(corpus)}
      columns={columns}
      items={documents}
      idOf={({ documentId }) => documentId}
      nameOf={({ title, documentId }) => title || documentId}
      hrefOf={({ documentId }) => linkTo('documents', corpus, 'document', documentId)}
      onMore={onMore}
      isLoadingMore={isLoadingMore}
      testId="documents"
    />
  );
}
