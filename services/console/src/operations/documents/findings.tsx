import { type HealthFinding, HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';

/** Kinds that make answers wrong. */
const bad: ReadonlySet<HealthFindingKind> = new Set([HealthFindingKind.CONTRADICTION, HealthFindingKind.EXPIRED]);

/** What the health check found about a document, a word for each kind; `most` of them, and how many more. */
export function Findings({ findings, most = 10 }: { findings: readonly HealthFinding[]; most?: number }) {
  const { health } = useOperationTexts();
  const kinds = [...new Set(findings.map(({ kind }) => kind))];
  if (kinds.length === 0) return '–';
  return (
    <span className="badges">
      {kinds.slice(0, most).map((kind) => (
        <Badge key={kind} tone={bad.has(kind) ? 'bad' : 'warning'}>
          {health.kinds[kind]}
        </Badge>
      ))}
      {kinds.length > most && <span className="faint">+{kinds.length - most}</span>}
    </span>
  );
}
