import { useEffect, useMemo, useState } from 'react';
import type { PageRegion } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Api } from '../api.ts';
import { useLoaded } from '../hooks/use-loaded.ts';
import { useMessages } from '../i18n/index.ts';
import { Icon } from './icon.tsx';

interface PageImageProps {
  indexer: Pick<Api['indexer'], 'renderPage'>;
  corpus: string;
  documentId: string;
  /** Places of the passage on the pages of the document; at least one. */
  regions: readonly PageRegion[];
}

/** Pixels of the image: twice the width of the panel. */
const widthPixels = 1200;

/** The pages of a passage as they were printed, with a frame around each of its places. Shows nothing if a page cannot be shown: its text is there. */
export function PageImage({ indexer, corpus, documentId, regions }: PageImageProps) {
  const texts = useMessages();
  const pages = useMemo(() => [...new Set(regions.map(({ page }) => page))], [regions]);
  const [page, setPage] = useState(pages[0] ?? 1);
  const loaded = useLoaded(
    (signal) => indexer.renderPage({ corpus, documentId, page, widthPixels }, { signal }),
    [indexer, corpus, documentId, page],
  );
  const image = loaded.state === 'ready' ? loaded.value : undefined;
  const address = useDataUrl(image?.image);
  if (loaded.state === 'failed') return null;

  const step = (by: number, name: 'previousPage' | 'nextPage') => {
    const other = pages[pages.indexOf(page) + by];
    return (
      <button
        type="button"
        className="icon-button"
        aria-label={texts.document[name]}
        title={texts.document[name]}
        disabled={other === undefined}
        onClick={() => other !== undefined && setPage(other)}
        data-testid={`page-${by < 0 ? 'previous' : 'next'}`}
      >
        <Icon name={by < 0 ? 'back' : 'forward'} />
      </button>
    );
  };
  return (
    <figure className="page-image" data-testid="page-image" data-page={page}>
      {image === undefined || address === '' ? (
        <p className="waiting">{texts.document.loadingPage}</p>
      ) : (
        <svg
          viewBox={`0 0 ${image.pageWidth} ${image.pageHeight}`}
          role="img"
          aria-label={texts.document.pageImage(page)}
        >
          <image href={address} width={image.pageWidth} height={image.pageHeight} />
          {regions.filter((region) => region.page === page && region.right > region.left).map(toFrame)}
        </svg>
      )}
      <figcaption>
        {pages.length > 1 && step(-1, 'previousPage')}
        <span>{texts.document.page(page)}</span>
        {pages.length > 1 && step(1, 'nextPage')}
      </figcaption>
    </figure>
  );
}

function toFrame({ left, top, right, bottom }: PageRegion) {
  const place = { x: left, y: top, width: right - left, height: bottom - top };
  return <rect key={`${left} ${top} ${right} ${bottom}`} {...place} data-testid="page-frame" />;
}

/** Returns an image as an address, which the content policy of the page permits; empty until it is read. */
function useDataUrl(png: Uint8Array | undefined): string {
  const [address, setAddress] = useState('');
  useEffect(() => {
    setAddress('');
    if (png === undefined) return;
    const reader = new FileReader();
    reader.onload = () => setAddress(String(reader.result));
    reader.readAsDataURL(new Blob([new Uint8Array(png)], { type: 'image/png' }));
    return () => reader.abort();
  }, [png]);
  return address;
}
