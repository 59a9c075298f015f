import { timestampDate, timestampMs } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery, useQuery } from '@connectrpc/connect-query';
import { useMemo } from 'react';
import { type ApiKey, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { formatWhen } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Choice } from '../../ui/choice.tsx';
import { type DataColumn, DataTable } from '../../ui/data-table.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Reply } from '../../ui/reply.tsx';
import { KeyState } from './key-state.tsx';

/** The keys of a tenant; an empty tenant is the caller's. */
export function KeyList({ tenant, roles }: { tenant: string; roles: readonly Role[] }) {
  const texts = useOperationTexts().administration;
  const { tag } = useMessages();
  const keys = useInfiniteQuery(
    ApiKeyService.method.listApiKeys,
    { tenant, pageSize: 100, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const columns = useMemo((): DataColumn<ApiKey>[] => {
    const { columns: names, states } = texts.keys;
    return [
      {
        id: 'name',
        name: names.name,
        width: '2fr',
        isImportant: true,
        cell: ({ name, user }) => (
          <span className="two-lines">
            <span className="strong">{name}</span>
            <span className="faint">{user}</span>
          </span>
        ),
      },
      {
        id: 'roles',
        name: names.roles,
        width: '2fr',
        cell: ({ roles: granted }) => (
          <span className="clip">{granted.map((role) => texts.roles[role]).join(' · ')}</span>
        ),
      },
      {
        id: 'used',
        name: names.used,
        width: '1fr',
        cell: ({ secrets }) => {
          const [latest] = secrets
            .flatMap(({ lastUsedAt }) => lastUsedAt ?? [])
            .sort((a, b) => timestampMs(b) - timestampMs(a));
          return latest === undefined ? (
            <span className="faint">{states.unused}</span>
          ) : (
            formatWhen(timestampDate(latest), new Date(), tag)
          );
        },
      },
      {
        id: 'ends',
        name: names.ends,
        width: '1fr',
        cell: ({ expiresAt }) =>
          expiresAt === undefined ? (
            <span className="faint">{texts.never}</span>
          ) : (
            formatWhen(timestampDate(expiresAt), new Date(), tag)
          ),
      },
      { id: 'state', name: names.state, width: '1fr', isImportant: true, cell: (key) => <KeyState apiKey={key} /> },
    ];
  }, [texts, tag]);
  const create = (
    <a className="button primary" href={linkTo('administration', 'keys', 'new')} data-testid="new-key">
      {texts.keys.create}
    </a>
  );
  return (
    <div className="stack">
      <div className="page-actions">
        {create}
        {roles.includes(Role.PLATFORM_ADMINISTRATOR) && <TenantChoice tenant={tenant} />}
      </div>
      <Reply query={keys}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.keys);
          if (items.length === 0) return <Empty title={texts.keys.none} text={texts.keys.noneText} />;
          return (
            <DataTable
              label={texts.views.keys}
              columns={columns}
              items={items}
              idOf={({ id }) => id}
              nameOf={({ name }) => name}
              hrefOf={({ id }) => linkTo('administration', 'keys', 'key', id, ...(tenant === '' ? [] : [tenant]))}
              onMore={keys.hasNextPage ? () => keys.fetchNextPage() : undefined}
              isLoadingMore={keys.isFetchingNextPage}
              testId="keys"
            />
          );
        }}
      </Reply>
    </div>
  );
}

/** Whose keys are shown, for those who maintain all tenants. */
function TenantChoice({ tenant }: { tenant: string }) {
  const texts = useOperationTexts().administration.keys;
  const tenants = useQuery(TenantService.method.listTenants, { pageSize: 200 });
  const names = new Set(tenants.data?.tenants.map((one) => one.tenant));
  if (tenant !== '') names.add(tenant);
  return (
    <Choice
      label={texts.tenant}
      isLabelHidden
      value={tenant}
      options={[{ value: '', label: texts.own }, ...[...names].map((name) => ({ value: name, label: name }))]}
      onChange={(name) => {
        window.location.hash = linkTo('administration', 'keys', ...(name === '' ? [] : ['of', name]));
      }}
      testId="key-tenant"
    />
  );
}
