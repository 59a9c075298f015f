import { timestampDate, timestampMs } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery, useQuery } from '@connectrpc/connect-query';
import { keepPreviousData } from '@tanstack/react-query';
import { useState } from 'react';
import { LimitService, type StoredLimit } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import {
  GatewayOperationsService,
  type LimitSource,
  type LimitStanding,
} from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import { formatCount, formatTime } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import type { SectionProps } from '../../section.ts';
import { Badge } from '../../ui/badge.tsx';
import { Choice } from '../../ui/choice.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Field } from '../../ui/field.tsx';
import { PlainTable } from '../../ui/plain-table.tsx';
import { Reply } from '../../ui/reply.tsx';
import { DropLimit, EditLimit, type LimitName, RaiseLimit } from './limit-dialogs.tsx';

/** How often counters are read again, in milliseconds. */
const pollMs = 5000;
/** Keys, and users, whose limits are asked for although they have used nothing. */
const maxAsked = 100;
const layers = ['user', 'key', 'cost_centre', 'model', 'tenant'] as const;

/** Limits of a layer and name: what applies, and what is stored. */
interface LimitRow extends LimitName {
  standings: LimitStanding[];
  stored: StoredLimit | undefined;
}

/** `/administration/limits`: limits and budgets by layer, with what remains; stored, raised until a time, removed. */
export function LimitsView({ roles }: SectionProps) {
  const texts = useOperationTexts().administration;
  const isAuditor = roles.includes(Role.AUDITOR);
  const isPlatform = roles.includes(Role.PLATFORM_ADMINISTRATOR);
  const stored = useInfiniteQuery(
    LimitService.method.listStoredLimits,
    { pageSize: 500, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const targets = stored.data?.pages.flatMap((page) => page.limits.flatMap(({ target }) => target ?? [])) ?? [];
  const namesOf = (layer: string) =>
    targets.flatMap((target) => (target.layer === layer ? [target.name] : [])).slice(0, maxAsked);
  const standings = useQuery(
    GatewayOperationsService.method.listLimits,
    { keys: namesOf('key'), users: namesOf('user') },
    { refetchInterval: pollMs, enabled: isAuditor, placeholderData: keepPreviousData },
  );
  const { columns } = texts.limits;
  return (
    <div className="stack">
      <NewLimit isPlatform={isPlatform} />
      <Reply query={stored}>
        {({ pages }) => {
          const rows = toRows(
            standings.data?.limits ?? [],
            pages.flatMap((page) => page.limits),
          );
          if (rows.length === 0) return <Empty title={texts.limits.none} text={texts.limits.noneText} />;
          return (
            <PlainTable
              columns={[columns.who, columns.inForce, columns.source]}
              actions={texts.actions}
              testId="limits"
            >
              {rows.map((row) => (
                <Row key={`${row.layer} ${row.name}`} row={row} canChange={row.layer !== 'tenant' || isPlatform} />
              ))}
            </PlainTable>
          );
        }}
      </Reply>
      {!isAuditor && <p className="faint">{texts.limits.needsAuditor}</p>}
    </div>
  );
}

/** Chooses the layer and name of a limit that is not in the list yet. */
function NewLimit({ isPlatform }: { isPlatform: boolean }) {
  const { cost, administration } = useOperationTexts();
  const texts = administration.limits;
  const [layer, setLayer] = useState<(typeof layers)[number]>('user');
  const [name, setName] = useState('');
  const isNamed = layer === 'tenant' || name !== '';
  return (
    <section className="stack-small" aria-label={texts.create}>
      <h3 className="sub-head">{texts.create}</h3>
      <div className="two-columns">
        <Choice
          label={texts.layer}
          value={layer}
          options={layers
            .filter((value) => value !== 'tenant' || isPlatform)
            .map((value) => ({ value, label: cost.limits.layers[value] ?? value }))}
          onChange={setLayer}
          testId="limit-layer"
        />
        {layer !== 'tenant' && <Field label={texts.name} value={name} onChange={setName} testId="limit-name" />}
      </div>
      {isNamed && (
        <div className="page-actions">
          <EditLimit
            key={`${layer} ${name}`}
            {...{ layer, name: name || (cost.limits.layers.tenant ?? '') }}
            stored={undefined}
          />
        </div>
      )}
    </section>
  );
}

function Row({ row, canChange }: { row: LimitRow; canChange: boolean }) {
  const { cost, administration } = useOperationTexts();
  const { tag } = useMessages();
  const { layer, name, standings, stored } = row;
  const source = standings[0]?.source;
  const raise = stored?.raise;
  const isRaised = raise?.until !== undefined && timestampMs(raise.until) > Date.now();
  // The fields of a dialog begin with what is stored now.
  const state = `${stored?.etag}`;
  return (
    <tr>
      <th scope="row">
        <span className="two-lines">
          <span>{name}</span>
          <span className="faint">{cost.limits.layers[layer]}</span>
        </span>
      </th>
      <td>
        {standings.map((standing) => (
          <Standing key={standing.kind} standing={standing} />
        ))}
      </td>
      <td>
        <span className="two-lines">
          <span>{administration.limits.sources[source as LimitSource] ?? administration.limits.stored}</span>
          {isRaised && <span className="faint">{raise.reason}</span>}
        </span>
        {isRaised && raise.until !== undefined && (
          <Badge tone="busy">{cost.limits.raised(formatTime(timestampDate(raise.until), tag))}</Badge>
        )}
      </td>
      <td className="row-actions">
        {canChange && (
          <span className="page-actions">
            <EditLimit key={`edit ${state}`} {...{ layer, name, stored }} />
            <RaiseLimit key={`raise ${state}`} {...{ layer, name, stored }} />
            <DropLimit key={`drop ${state}`} {...{ layer, name, stored }} />
          </span>
        )}
      </td>
    </tr>
  );
}

/** One amount that applies: the limit, what remains of it, and when it resets. */
function Standing({ standing: { kind, limit, used, resetsAt } }: { standing: LimitStanding }) {
  const { cost, administration } = useOperationTexts();
  const { tag } = useMessages();
  const money = new Intl.NumberFormat(tag, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const amount = (value: bigint) =>
    kind.startsWith('cost_') ? money.format(Number(value) / 1e6) : formatCount(value, tag);
  const left = amount(used > limit ? 0n : limit - used);
  const resets = resetsAt === undefined ? '' : formatTime(timestampDate(resetsAt), tag);
  return (
    <span className="two-lines">
      <span>
        {cost.limits.kinds[kind]}: {amount(limit)}
      </span>
      <span className="faint">{administration.limits.left(left, resets)}</span>
    </span>
  );
}

/** Returns what applies and what is stored, by layer and name, in the order of what applies. */
function toRows(standings: readonly LimitStanding[], stored: readonly StoredLimit[]): LimitRow[] {
  const rows = new Map<string, LimitRow>();
  const ofTenant = standings.find(({ layer }) => layer === 'tenant')?.name;
  const rowOf = (layer: string, name: string) => {
    const key = `${layer} ${name}`;
    const row = rows.get(key) ?? { layer, name, standings: [], stored: undefined };
    rows.set(key, row);
    return row;
  };
  for (const standing of standings) rowOf(standing.layer, standing.name).standings.push(standing);
  for (const one of stored) {
    const { layer = '', name = '', tenant = '' } = one.target ?? {};
    rowOf(layer, name || (ofTenant ?? tenant)).stored = one;
  }
  return [...rows.values()];
}
