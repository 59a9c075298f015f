import type { SectionProps } from '../section.ts';
import { NewSource } from './new-source.tsx';
import { SourceList } from './source-list.tsx';
import { SourcePage } from './source-page.tsx';

/** `/sources`, `/sources/new`, `/sources/source/<id>`. */
export function SourcesSection({ parts }: SectionProps) {
  const [page, sourceId] = parts;
  if (page === 'new') return <NewSource />;
  if (page === 'source' && sourceId !== undefined) return <SourcePage key={sourceId} sourceId={sourceId} />;
  return <SourceList />;
}
