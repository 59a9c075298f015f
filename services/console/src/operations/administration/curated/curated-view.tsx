import type { SectionProps } from '../../section.ts';
import { CuratedList } from './curated-list.tsx';
import { CuratedPage } from './curated-page.tsx';
import { NewCurated } from './new-curated.tsx';

/** `/administration/curated`, `…/new`, `…/answer/<id>`: what operators want to be said to a question. */
export function CuratedView({ parts }: SectionProps) {
  const [what, id = ''] = parts;
  if (what === 'new') return <NewCurated />;
  if (what === 'answer') return <CuratedPage key={id} id={id} />;
  return <CuratedList />;
}
