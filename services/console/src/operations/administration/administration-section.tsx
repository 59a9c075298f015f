import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { SectionViews } from '../ui/section-views.tsx';
import { AuditView } from './audit/audit-view.tsx';
import { CuratedView } from './curated/curated-view.tsx';
import { ConfigurationView } from './installation/configuration-view.tsx';
import { HealthView } from './installation/health-view.tsx';
import { KeysView } from './keys/keys-view.tsx';
import { LimitsView } from './limits/limits-view.tsx';
import { PrivacyView } from './privacy/privacy-view.tsx';
import { TenantList } from './tenant-list.tsx';

/** The views in their order, each with the roles that its rpcs ask for: one of them is enough for a part of the view. */
const views = [
  { id: 'keys', Page: KeysView, roles: [Role.ADMINISTRATOR] },
  { id: 'tenants', Page: TenantList, roles: [Role.PLATFORM_ADMINISTRATOR] },
  { id: 'limits', Page: LimitsView, roles: [Role.ADMINISTRATOR] },
  { id: 'audit', Page: AuditView, roles: [Role.AUDITOR] },
  { id: 'curated', Page: CuratedView, roles: [Role.OPERATOR] },
  { id: 'privacy', Page: PrivacyView, roles: [Role.OPERATOR, Role.AUDITOR] },
  { id: 'health', Page: HealthView, roles: [Role.PLATFORM_ADMINISTRATOR] },
  { id: 'configuration', Page: ConfigurationView, roles: [Role.PLATFORM_ADMINISTRATOR] },
] as const;

/** `/administration/<view>`: what administrators, auditors and operators maintain. A caller sees the views of its roles. */
export function AdministrationSection(props: SectionProps) {
  const texts = useOperationTexts().administration;
  const allowed = views
    .filter(({ roles }) => roles.some((role) => props.roles.includes(role)))
    .map(({ id, Page }) => ({ id, Page, name: texts.views[id] }));
  return <SectionViews section="administration" title={texts.title} views={allowed} props={props} />;
}
