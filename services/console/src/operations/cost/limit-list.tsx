import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import { Meter } from 'react-aria-components/Meter';
import { GatewayOperationsService, type LimitStanding } from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import { formatCount, formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { Empty } from '../ui/empty.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';

/** How often counters are read again, in milliseconds. */
const pollMs = 5000;
/** Shares of a limit from which it needs a look. */
const [nearShare, fullShare] = [0.8, 1];

/** Limits and budgets of every layer: what is used, what is left, and when they reset. */
export function LimitList() {
  const texts = useOperationTexts().cost.limits;
  const limits = useQuery(GatewayOperationsService.method.listLimits, {}, { refetchInterval: pollMs });
  const { columns } = texts;
  return (
    <Reply query={limits}>
      {({ limits: all, isShared }) =>
        all.length === 0 ? (
          <Empty title={texts.none} text={texts.noneText} />
        ) : (
          <div className="stack-small">
            <PlainTable
              columns={[columns.who, columns.limit, columns.used, columns.left, columns.resets]}
              testId="limits"
            >
              {all.map((standing) => (
                <Row key={`${standing.layer} ${standing.name} ${standing.kind}`} standing={standing} />
              ))}
            </PlainTable>
            <p className="faint">{isShared ? texts.shared : texts.single}</p>
          </div>
        )
      }
    </Reply>
  );
}

function Row({ standing }: { standing: LimitStanding }) {
  const texts = useOperationTexts().cost.limits;
  const { tag } = useMessages();
  const { layer, name, kind, limit, used, resetsAt, raisedUntil } = standing;
  const isMoney = kind.startsWith('cost_');
  const money = new Intl.NumberFormat(tag, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const amount = (value: bigint) => (isMoney ? money.format(Number(value) / 1e6) : formatCount(value, tag));
  const share = Math.min(1, Number(used) / Number(limit));
  const tone = share >= fullShare ? 'bad' : share >= nearShare ? 'warning' : 'good';
  return (
    <tr>
      <th scope="row">
        <span className="two-lines">
          <span>{name}</span>
          <span className="faint">{texts.layers[layer]}</span>
        </span>
      </th>
      <td>
        <span className="two-lines">
          <span>{texts.kinds[kind]}</span>
          <span className="faint">{amount(limit)}</span>
        </span>
        {raisedUntil !== undefined && (
          <Badge tone="busy">{texts.raised(formatTime(timestampDate(raisedUntil), tag))}</Badge>
        )}
      </td>
      <td>
        <Meter
          className="meter"
          aria-label={texts.kinds[kind] ?? kind}
          value={share}
          maxValue={1}
          valueLabel={texts.usedOf(amount(used), amount(limit))}
        >
          {({ percentage }) => (
            <>
              <span className="meter-track">
                <span className="meter-fill" data-tone={tone} style={{ width: `${percentage}%` }} />
              </span>
              <span>{amount(used)}</span>
            </>
          )}
        </Meter>
      </td>
      <td>{amount(used > limit ? 0n : limit - used)}</td>
      <td>{resetsAt === undefined ? '–' : formatTime(timestampDate(resetsAt), tag)}</td>
    </tr>
  );
}
