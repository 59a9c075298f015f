import type { AccessList } from '#gen/ragmesh/common/v1/common_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';

/** Who may see a document: everyone of the tenant, or some groups. */
export function Visibility({ access }: { access: AccessList | undefined }) {
  const texts = useOperationTexts();
  const groups = access?.groups ?? [];
  if (groups.length === 0) return <span className="faint">{texts.documents.everyone}</span>;
  return (
    <span className="badges">
      {groups.map((group) => (
        <Badge key={group} tone="plain">
          {group}
        </Badge>
      ))}
    </span>
  );
}
