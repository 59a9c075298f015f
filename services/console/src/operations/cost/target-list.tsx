import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import {
  CircuitState,
  GatewayOperationsService,
  type ListTargetsResponse,
  type TargetStatus,
} from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import { Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { formatCost, formatCount, formatMs, formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge, type Tone } from '../ui/badge.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';

/** How often states are read again, in milliseconds. */
const pollMs = 5000;

/** Results of attempts that worked: an answer, or that the passages have none. */
const successes = ['complete', 'no_evidence'];

const taskNames: Record<number, string> = {
  [Task.ANSWER]: 'answer',
  [Task.REWRITE]: 'rewrite',
  [Task.ROUTE]: 'route',
  [Task.SUMMARIZE]: 'summarize',
  [Task.ENRICH]: 'enrich',
};

const tones: Record<number, Tone> = {
  [CircuitState.CLOSED]: 'good',
  [CircuitState.HALF_OPEN]: 'warning',
  [CircuitState.OPEN]: 'bad',
};

/** The models with their health and prices, and the routes over them. */
export function TargetList() {
  const targets = useQuery(GatewayOperationsService.method.listTargets, {}, { refetchInterval: pollMs });
  return <Reply query={targets}>{(reply) => <Whole reply={reply} />}</Reply>;
}

function Whole({ reply }: { reply: ListTargetsResponse }) {
  const texts = useOperationTexts().cost;
  const { tag } = useMessages();
  const own = texts.targets;
  const { columns } = own;
  return (
    <div className="stack">
      <PlainTable
        columns={[
          ...[columns.name, columns.state, columns.first, columns.load, columns.results, columns.failed],
          columns.price,
        ]}
        testId="targets"
      >
        {reply.targets.map((target) => (
          <Row key={target.name} target={target} currency={reply.currency} />
        ))}
      </PlainTable>
      <p className="faint">
        {reply.countedSince && own.since(formatTime(timestampDate(reply.countedSince), tag))}{' '}
        {reply.priceVersion !== '' && own.version(reply.priceVersion)}
      </p>
      {reply.routes.length > 0 && (
        <section aria-label={own.routes} className="stack-small">
          <h3 className="sub-head">{own.routes}</h3>
          <PlainTable columns={[own.route, own.members, own.order, own.tasks]} testId="routes">
            {reply.routes.map(({ name, targets, order, tasks }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{targets.join(' → ')}</td>
                <td>{order.replaceAll('_', ' ')}</td>
                <td>{tasks.map((task) => texts.usage.purposes[taskNames[task] ?? '']).join(', ')}</td>
              </tr>
            ))}
          </PlainTable>
        </section>
      )}
    </div>
  );
}

function Row({ target, currency }: { target: TargetStatus; currency: string }) {
  const texts = useOperationTexts().cost.targets;
  const { tag } = useMessages();
  const { name, provider, circuit, coolDownMs, firstTokenMs, runningCount, waitingCount, results, price } = target;
  const total = results.reduce((sum, { count }) => sum + count, 0n);
  const failures = results.filter(({ result }) => !successes.includes(result));
  const failed = failures.reduce((sum, { count }) => sum + count, 0n);
  const money = (amount: number) => formatCost(BigInt(Math.round(amount * 1e6)), currency, tag);
  const share = new Intl.NumberFormat(tag, { style: 'percent', maximumFractionDigits: 1 });
  return (
    <tr>
      <th scope="row">
        <span className="two-lines">
          <span>{name}</span>
          <span className="faint">{provider}</span>
        </span>
      </th>
      <td>
        <span className="badges">
          <Badge tone={tones[circuit] ?? 'plain'}>{texts.circuits[circuit]}</Badge>
          {coolDownMs > 0n && (
            <Badge tone="warning">{texts.cooling(formatCount(Math.ceil(Number(coolDownMs) / 1000), tag))}</Badge>
          )}
        </span>
      </td>
      <td>{firstTokenMs > 0 ? formatMs(firstTokenMs) : '–'}</td>
      <td>
        {formatCount(runningCount, tag)}
        {waitingCount > 0 && ` (${texts.waiting(formatCount(waitingCount, tag))})`}
      </td>
      <td>{formatCount(total, tag)}</td>
      <td>
        {failed === 0n ? '–' : `${formatCount(failed, tag)} (${share.format(Number(failed) / Number(total))})`}
        {failures.length > 0 && (
          <div className="faint">{failures.map(({ result, count }) => `${result} ${count}`).join(', ')}</div>
        )}
      </td>
      <td>
        {price === undefined ? (
          <span className="faint">{texts.noPrice}</span>
        ) : (
          <>
            {texts.priceOf(money(price.prompt), money(price.completion))}
            <div className="faint">
              {[
                price.cachedPrompt !== undefined && texts.cachedPrice(money(price.cachedPrompt)),
                price.tierCount > 0 && texts.tiers,
              ]
                .filter(Boolean)
                .join(' · ')}
            </div>
          </>
        )}
      </td>
    </tr>
  );
}
