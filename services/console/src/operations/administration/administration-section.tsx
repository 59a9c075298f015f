import type { ReactNode } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { PageHead } from '../ui/page-head.tsx';
import { AuditView } from './audit/audit-view.tsx';
import { KeysView } from './keys/keys-view.tsx';
import { PrivacyView } from './privacy/privacy-view.tsx';
import { TenantList } from './tenant-list.tsx';

/** The views in their order, each with the roles that its rpcs ask for: one of them is enough for a part of the view. */
const views = {
  keys: [Role.ADMINISTRATOR],
  tenants: [Role.PLATFORM_ADMINISTRATOR],
  audit: [Role.AUDITOR],
  privacy: [Role.OPERATOR, Role.AUDITOR],
} as const satisfies Record<string, readonly Role[]>;
type View = keyof typeof views;

const pages: Record<View, (props: SectionProps) => ReactNode> = {
  keys: KeysView,
  tenants: TenantList,
  audit: AuditView,
  privacy: PrivacyView,
};

/** `/administration/<view>`: what administrators, auditors and operators maintain. A caller sees the views of its roles. */
export function AdministrationSection(props: SectionProps) {
  const texts = useOperationTexts().administration;
  const allowed = (Object.keys(views) as View[]).filter((name) =>
    views[name].some((role) => props.roles.includes(role)),
  );
  const view = allowed.find((name) => name === props.parts[0]) ?? allowed[0];
  if (view === undefined) return null;
  return (
    <>
      <PageHead title={texts.title} />
      <Tabs
        className="tabs"
        selectedKey={view}
        onSelectionChange={(key) => {
          window.location.hash = linkTo('administration', String(key));
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
