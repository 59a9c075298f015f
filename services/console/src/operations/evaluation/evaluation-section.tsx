import type { ReactNode } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { PageHead } from '../ui/page-head.tsx';
import { CompareView } from './compare-view.tsx';
import { SetList } from './set-list.tsx';
import { SuiteList } from './suite-list.tsx';

const pages = {
  suites: SuiteList,
  sets: SetList,
  compare: CompareView,
} as const satisfies Record<string, (props: SectionProps) => ReactNode>;
type View = keyof typeof pages;
const views = Object.keys(pages) as View[];

/** `/evaluation/<view>`: nightly suites, question sets, and two ways to search compared. */
export function EvaluationSection(props: SectionProps) {
  const texts = useOperationTexts().evaluation;
  const view = views.find((name) => name === props.parts[0]) ?? 'suites';
  return (
    <>
      <PageHead title={texts.title} />
      <Tabs
        className="tabs"
        selectedKey={view}
        onSelectionChange={(key) => {
          window.location.hash = linkTo('evaluation', String(key));
        }}
      >
        <TabList className="tab-list" aria-label={texts.title}>
          {views.map((name) => (
            <Tab key={name} id={name} className="tab" data-testid={`tab-${name}`}>
              {texts.views[name]}
            </Tab>
          ))}
        </TabList>
        {views.map((name) => {
          const Page = pages[name];
          return (
            <TabPanel key={name} id={name} className="tab-panel">
              <Page {...props} parts={props.parts.slice(1)} />
            </TabPanel>
          );
        })}
      </Tabs>
    </>
  );
}
