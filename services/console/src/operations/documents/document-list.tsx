import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useMemo, useState } from 'react';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { Document, ListDocumentsResponse } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { formatCount, formatDay, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { type DataColumn, DataTable } from '../ui/data-table.tsx';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';
import { SearchBox } from '../ui/search-box.tsx';
import { DocumentFilters } from './document-filters.tsx';
import { Findings } from './findings.tsx';
import { useFindings } from './use-findings.ts';
import { Visibility } from './visibility.tsx';

const pageSize = 200;

interface DocumentListProps {
  corpora: readonly Corpus[];
  corpus: string;
  roles: readonly Role[];
}

/** The documents of a corpus that the user may see. */
export function DocumentList({ corpora, corpus, roles }: DocumentListProps) {
  const texts = useOperationTexts();
  const [search, setSearch] = useState('');
  const [language, setLanguage] = useState<Language>(Language.UNSPECIFIED);
  const [owner, setOwner] = useState('');
  const [group, setGroup] = useState('');
  const [isDue, setIsDue] = useState(false);
  const isFiltered = language !== Language.UNSPECIFIED || owner !== '' || group !== '' || isDue;
  const documents = useInfiniteQuery(
    IndexerService.method.listDocuments,
    {
      ...{ corpus, search, pageSize, pageToken: '' },
      filter: { language, owner, group, reviewBy: isDue ? new Date().toISOString().slice(0, 10) : '' },
    },
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
      <DocumentFilters
        language={language}
        isDue={isDue}
        onLanguage={setLanguage}
        onDue={setIsDue}
        onOwner={setOwner}
        onGroup={setGroup}
      />
      <p className="page-note" role="status">
        {texts.documents.count(formatCount(count, tag), count === 1n)}
      </p>
      <Reply query={documents}>
        {({ pages }) => (
          <Rows
            corpus={corpus}
            pages={pages}
            isSearched={search !== '' || isFiltered}
            isOperator={roles.includes(Role.OPERATOR)}
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
  pages: readonly ListDocumentsResponse[];
  isSearched: boolean;
  isOperator: boolean;
  onMore: (() => void) | undefined;
  isLoadingMore: boolean;
}

function Rows({ corpus, pages, isSearched, isOperator, onMore, isLoadingMore }: RowsProps) {
  const texts = useOperationTexts();
  const documents = useMemo(() => pages.flatMap((page) => page.documents), [pages]);
  const findings = useFindings(
    corpus,
    pages.map((page) => page.documents.map(({ documentId }) => documentId)),
    isOperator,
  );
  const { tag } = useMessages();
  const columns = useMemo((): DataColumn<Document>[] => {
    const { columns: names } = texts.documents;
    return [
      {
        id: 'title',
        name: names.title,
        width: '3fr',
        isImportant: true,
        cell: ({ title, documentId }) => (
          <span className="two-lines">
            <span className="strong">{title || documentId}</span>
            <span className="faint">{documentId}</span>
          </span>
        ),
      },
      { id: 'access', name: names.access, width: 130, cell: ({ access }) => <Visibility access={access} /> },
      { id: 'owner', name: names.owner, width: 100, cell: ({ attributes }) => attributes.owner || '–' },
      {
        ...{ id: 'review', name: names.review, width: 140 },
        cell: ({ attributes }) => formatDay(attributes.review_at ?? '', tag) || '–',
      },
      ...(isOperator
        ? [
            {
              ...{ id: 'health', name: names.health, width: '2fr' as const },
              cell: ({ documentId }: Document) => <Findings findings={findings.get(documentId) ?? []} most={2} />,
            },
          ]
        : []),
      {
        id: 'indexed',
        name: names.indexed,
        width: 110,
        cell: ({ indexedAt }) => indexedAt && formatWhen(timestampDate(indexedAt), new Date(), tag),
      },
    ];
  }, [texts, tag, isOperator, findings]);
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
