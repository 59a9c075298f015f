import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { SectionViews } from '../ui/section-views.tsx';
import { LimitList } from './limit-list.tsx';
import { ReconcileView } from './reconcile-view.tsx';
import { TargetList } from './target-list.tsx';
import { UsageView } from './usage-view.tsx';

/** The views in their order, each with the role that its rpcs ask for. */
const views = [
  { id: 'usage', Page: UsageView, role: Role.AUDITOR },
  { id: 'limits', Page: LimitList, role: Role.AUDITOR },
  { id: 'targets', Page: TargetList, role: Role.OPERATOR },
  { id: 'reconcile', Page: ReconcileView, role: Role.AUDITOR },
] as const;

/** `/cost/<view>`: what models are used for and cost, limits and budgets, the health of models, and a provider's bill. */
export function CostSection(props: SectionProps) {
  const texts = useOperationTexts().cost;
  const allowed = views
    .filter(({ role }) => props.roles.includes(role))
    .map(({ id, Page }) => ({ id, Page, name: texts.views[id] }));
  return <SectionViews section="cost" title={texts.title} views={allowed} props={props} />;
}
