import { useQueryClient } from '@tanstack/react-query';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { PageHead } from '../../ui/page-head.tsx';
import { CuratedForm } from './curated-form.tsx';

/** A new curated answer, of no topic of the inbox. */
export function NewCurated() {
  const { administration, curated: texts } = useOperationTexts();
  const queries = useQueryClient();
  return (
    <div className="stack">
      <PageHead
        title={texts.create}
        back={{ href: linkTo('administration', 'curated'), label: administration.views.curated }}
      />
      <CuratedForm
        id=""
        onPublished={(id) => {
          void queries.invalidateQueries();
          window.location.hash = linkTo('administration', 'curated', 'answer', id);
        }}
      />
    </div>
  );
}
