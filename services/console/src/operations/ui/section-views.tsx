import type { ReactNode } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import { linkTo, type Section } from '../../state/sections.ts';
import type { SectionProps } from '../section.ts';
import { PageHead } from './page-head.tsx';

/** A view of a section: the first part of its address, its name in the language of the page, and what it shows. */
export interface SectionView {
  id: string;
  name: string;
  Page: (props: SectionProps) => ReactNode;
}

interface SectionViewsProps {
  section: Section;
  title: string;
  /** Those that the caller may use, in their order. */
  views: readonly SectionView[];
  /** Given to the view, without its own part of the address. */
  props: SectionProps;
}

/** A section that is several views, each with an address. Shows the first one if the address names none of them; nothing without views. */
export function SectionViews({ section, title, views, props }: SectionViewsProps) {
  const shown = views.find(({ id }) => id === props.parts[0]) ?? views[0];
  if (shown === undefined) return null;
  return (
    <>
      <PageHead title={title} />
      <Tabs
        className="tabs"
        selectedKey={shown.id}
        onSelectionChange={(key) => {
          window.location.hash = linkTo(section, String(key));
        }}
      >
        <TabList className="tab-list" aria-label={title}>
          {views.map(({ id, name }) => (
            <Tab
              key={id}
              id={id}
              ref={id === shown.id ? scrollToTab : undefined}
              className="tab"
              data-testid={`tab-${id}`}
            >
              {name}
            </Tab>
          ))}
        </TabList>
        {views.map(({ id, Page }) => (
          <TabPanel key={id} id={id} className="tab-panel">
            <Page {...props} parts={props.parts.slice(1)} />
          </TabPanel>
        ))}
      </Tabs>
    </>
  );
}

/** On a phone the tabs are wider than the page. */
function scrollToTab(tab: HTMLElement | null): void {
  tab?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}
