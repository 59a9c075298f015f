import type { UsageAmounts } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { formatCost, formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { savedBy } from './measures.ts';

/** The totals of some days: money by currency, tokens, answers, and what the cache saved. */
export function UsageTotals({ totals }: { totals: readonly UsageAmounts[] }) {
  const texts = useOperationTexts().cost.usage;
  const { tag } = useMessages();
  const sum = (pick: (amounts: UsageAmounts) => bigint) => totals.reduce((all, amounts) => all + pick(amounts), 0n);
  const money = (some: readonly UsageAmounts[], pick: (amounts: UsageAmounts) => bigint) =>
    some
      .filter(({ currency }) => currency !== '')
      .map((amounts) => formatCost(pick(amounts), amounts.currency, tag))
      .join(' + ');
  const [prompt, completion] = [
    sum(({ promptTokens }) => promptTokens),
    sum(({ completionTokens }) => completionTokens),
  ];
  const saved = savedBy(totals);
  const answers = sum(({ answerCount }) => answerCount);
  const cached = sum(({ cachedCount }) => cachedCount);
  const share = new Intl.NumberFormat(tag, { style: 'percent', maximumFractionDigits: 1 });
  return (
    <dl className="totals" data-testid="usage-totals">
      <div>
        <dt>{texts.cost}</dt>
        <dd>{money(totals, ({ costMicros }) => costMicros) || texts.free}</dd>
      </div>
      <div>
        <dt>{texts.tokens}</dt>
        <dd>{formatCount(prompt + completion, tag)}</dd>
        <dd className="faint">{texts.tokensHint(formatCount(prompt, tag), formatCount(completion, tag))}</dd>
      </div>
      <div>
        <dt>{texts.answers}</dt>
        <dd>{formatCount(answers, tag)}</dd>
        {answers > 0n && <dd className="faint">{texts.cached(share.format(Number(cached) / Number(answers)))}</dd>}
      </div>
      <div data-testid="usage-saved">
        <dt>{texts.saved}</dt>
        <dd>{money(saved.priced, ({ savedMicros }) => savedMicros) || (saved.tokens > 0n ? texts.free : '–')}</dd>
        <dd className="faint">{texts.savedTokens(formatCount(saved.tokens, tag))}</dd>
        {saved.priced.length > 0 && saved.unpricedTokens > 0n && (
          <dd className="faint">{texts.savedUnpriced(formatCount(saved.unpricedTokens, tag))}</dd>
        )}
      </div>
    </dl>
  );
}
