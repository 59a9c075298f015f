import { useQuery } from '@connectrpc/connect-query';
import { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { formatCount } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Facts } from '../../ui/facts.tsx';
import { Reply } from '../../ui/reply.tsx';

/** How long the tenant keeps what. */
export function RetentionFacts() {
  const texts = useOperationTexts().administration.privacy;
  const { tag } = useMessages();
  const query = useQuery(PrivacyService.method.getRetention, {});
  const days = (count: number | undefined, otherwise: string) =>
    count === undefined ? otherwise : texts.days(formatCount(count, tag));
  return (
    <section aria-label={texts.retention} className="stack-small">
      <h3 className="sub-head">{texts.retention}</h3>
      <Reply query={query}>
        {({ sessionsDays, feedbackDays, auditDays, ledgerDays, cacheDays }) => (
          <Facts
            facts={[
              [texts.kept.sessions, days(sessionsDays, texts.byService)],
              [texts.kept.feedback, days(feedbackDays, texts.byService)],
              [texts.kept.audit, days(auditDays, texts.withoutEnd)],
              [texts.kept.ledger, days(ledgerDays, texts.withoutEnd)],
              [texts.kept.cache, days(cacheDays, texts.byService)],
            ]}
          />
        )}
      </Reply>
      <p className="faint">{texts.retentionHint}</p>
    </section>
  );
}
