import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { SectionViews } from '../ui/section-views.tsx';
import { CompareView } from './compare-view.tsx';
import { SetList } from './set-list.tsx';
import { SuiteList } from './suite-list.tsx';

const views = [
  { id: 'suites', Page: SuiteList },
  { id: 'sets', Page: SetList },
  { id: 'compare', Page: CompareView },
] as const;

/** `/evaluation/<view>`: nightly suites, question sets, and two ways to search compared. */
export function EvaluationSection(props: SectionProps) {
  const texts = useOperationTexts().evaluation;
  const named = views.map(({ id, Page }) => ({ id, Page, name: texts.views[id] }));
  return <SectionViews section="evaluation" title={texts.title} views={named} props={props} />;
}
