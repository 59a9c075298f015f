import type { ReactNode } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { PageHead } from '../ui/page-head.tsx';
import { LimitList } from './limit-list.tsx';
import { ReconcileView } from './reconcile-view.tsx';
import { TargetList } from './target-list.tsx';
import { UsageView } from './usage-view.tsx';

/** The views in their order, each with the role that its rpcs ask for. */
const views = {
  usage: Role.AUDITOR,
  limits: Role.AUDITOR,
  targets: Role.OPERATOR,
  reconcile: Role.AUDITOR,
} as const;
type View = keyof typeof views;

const pages: Record<View, (props: SectionProps) => ReactNode> = {
  usage: UsageView,
  limits: LimitList,
  targets: TargetList,
  reconcile: ReconcileView,
};

/** `/cost/<view>`: what models are used for and cost, limits and budgets, the health of models, and a provider's bill. */
export function CostSection(props: SectionProps) {
  const texts = useOperationTexts().cost;
  const allowed = (Object.keys(views) as View[]).filter((name) => props.roles.includes(views[name]));
  const view = allowed.find((name) => name === props.parts[0]) ?? allowed[0];
  if (view === undefined) return null;
  return (
    <>
      <PageHead title={texts.title} />
      <Tabs
        className="tabs"
        selectedKey={view}
        onSelectionChange={(key) => {
          window.location.hash = linkTo('cost', String(key));
        }}
      >
        <TabList className="tab-list" aria-label={texts.title}>
          {allowed.map((name) => (
            <Tab key={name} id={name} className="tab" data-testid={`tab-${name}`}>
              {texts.views[name]}
            </Tab>
          ))}
        </TabList>
        {allowed.map((name) => {
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
