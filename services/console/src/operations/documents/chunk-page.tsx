import { createClient } from '@connectrpc/connect';
import { useTransport } from '@connectrpc/connect-query';
import { useMemo, useState } from 'react';
import type { PageRegion } from '#gen/ragmesh/common/v1/common_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { PageImage } from '../../components/page-image.tsx';
import { useMessages } from '../../i18n/index.ts';

interface ChunkPageProps {
  corpus: string;
  documentId: string;
  /** Places of the chunk; at least one. */
  regions: readonly PageRegion[];
}

/** The page of a chunk with frames around its places, once someone opens it. */
export function ChunkPage({ corpus, documentId, regions }: ChunkPageProps) {
  const texts = useMessages();
  const transport = useTransport();
  const indexer = useMemo(() => createClient(IndexerService, transport), [transport]);
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="chunk-page" onToggle={(event) => setOpen(event.currentTarget.open)} data-testid="chunk-page">
      <summary>{texts.document.page(regions[0]?.page ?? 1)}</summary>
      {isOpen && <PageImage indexer={indexer} corpus={corpus} documentId={documentId} regions={regions} />}
    </details>
  );
}
