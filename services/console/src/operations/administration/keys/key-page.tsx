import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery, useMutation } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type ApiKey, type ApiKeySecret, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { formatCount, formatTime } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Choice } from '../../ui/choice.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Facts } from '../../ui/facts.tsx';
import { PageHead } from '../../ui/page-head.tsx';
import { PlainTable } from '../../ui/plain-table.tsx';
import { isValid, KeyState } from './key-state.tsx';
import { Secret } from './secret.tsx';

/** Overlaps of a rotation in seconds. */
const overlaps = ['0', '3600', '86400', '604800'] as const;

/** One key: its limits and secrets, rotation and end. */
export function KeyPage({ id, tenant }: { id: string; tenant: string }) {
  const { administration, loading } = useOperationTexts();
  const keys = useInfiniteQuery(
    ApiKeyService.method.listApiKeys,
    { tenant, pageSize: 200, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const found = keys.data?.pages.flatMap((page) => page.keys).find((key) => key.id === id);
  const { hasNextPage, isFetching, fetchNextPage } = keys;
  useEffect(() => {
    if (found === undefined && hasNextPage && !isFetching) void fetchNextPage();
  }, [found, hasNextPage, isFetching, fetchNextPage]);
  if (found !== undefined) return <Whole apiKey={found} tenant={tenant} />;
  if (isFetching || hasNextPage) return <p className="waiting">{loading}</p>;
  return <Empty title={administration.keys.gone} text={administration.keys.goneText} />;
}

function Whole({ apiKey, tenant }: { apiKey: ApiKey; tenant: string }) {
  const texts = useOperationTexts().administration;
  const { tag } = useMessages();
  const own = texts.keys;
  const queries = useQueryClient();
  const [overlap, setOverlap] = useState<(typeof overlaps)[number]>('86400');
  const rotate = useMutation(ApiKeyService.method.rotateApiKey);
  const revoke = useMutation(ApiKeyService.method.revokeApiKey);
  const list = tenant === '' ? linkTo('administration', 'keys') : linkTo('administration', 'keys', 'of', tenant);
  const names = (values: readonly string[]) => (values.length === 0 ? texts.all : values.join(', '));
  return (
    <div className="stack">
      <PageHead title={apiKey.name} back={{ href: list, label: texts.views.keys }} badge={<KeyState apiKey={apiKey} />}>
        {isValid(apiKey, Date.now()) && (
          <>
            <Confirm
              label={own.rotate}
              title={own.rotateTitle}
              action={own.rotate}
              onConfirm={async () => {
                await rotate.mutateAsync({ id: apiKey.id, tenant, overlapSeconds: Number(overlap) });
                await queries.invalidateQueries();
              }}
              testId="rotate-key"
            >
              <p>{own.rotateText}</p>
              <Choice
                label={own.overlap}
                value={overlap}
                options={overlaps.map((value) => ({ value, label: own.overlaps[value] }))}
                onChange={setOverlap}
              />
            </Confirm>
            <Confirm
              label={own.revoke}
              title={own.revokeTitle}
              action={own.revoke}
              isDanger
              onConfirm={async () => {
                await revoke.mutateAsync({ id: apiKey.id, tenant });
                await queries.invalidateQueries();
              }}
              testId="revoke-key"
            >
              <p>{own.revokeText}</p>
            </Confirm>
          </>
        )}
      </PageHead>
      {rotate.data !== undefined && <Secret secret={rotate.data.secret} />}
      <Facts
        facts={[
          ['Id', apiKey.id],
          [own.otherTenant, apiKey.tenant],
          [own.user, apiKey.user],
          [own.rights, apiKey.roles.map((role) => texts.roles[role]).join(', ')],
          [own.groups, apiKey.groups.join(', ')],
          [own.corpora, names(apiKey.corpora)],
          [own.models, names(apiKey.models)],
          [own.addresses, names(apiKey.addresses)],
          [own.ends, apiKey.expiresAt === undefined ? texts.never : formatTime(timestampDate(apiKey.expiresAt), tag)],
          [
            own.created,
            apiKey.createdAt && `${formatTime(timestampDate(apiKey.createdAt), tag)}, ${own.by(apiKey.createdBy)}`,
          ],
          [own.states.revoked, apiKey.revokedAt && formatTime(timestampDate(apiKey.revokedAt), tag)],
          [own.reason, apiKey.breakGlassReason],
        ]}
      />
      <h3 className="sub-head">{own.secrets}</h3>
      <PlainTable
        columns={[own.fingerprint, own.created, own.ends, own.columns.used, own.lastAddress]}
        testId="key-secrets"
      >
        {apiKey.secrets.map((secret) => (
          <SecretRow key={secret.fingerprint} secret={secret} />
        ))}
      </PlainTable>
    </div>
  );
}

function SecretRow({ secret }: { secret: ApiKeySecret }) {
  const texts = useOperationTexts().administration.keys;
  const { tag } = useMessages();
  const time = (at: Parameters<typeof timestampDate>[0]) => formatTime(timestampDate(at), tag);
  return (
    <tr>
      <th scope="row">
        <code>{secret.fingerprint}</code>
      </th>
      <td>{secret.createdAt && time(secret.createdAt)}</td>
      <td>{secret.expiresAt === undefined ? texts.withKey : time(secret.expiresAt)}</td>
      <td>
        {secret.lastUsedAt === undefined
          ? texts.states.unused
          : `${time(secret.lastUsedAt)} (${texts.uses(formatCount(secret.useCount, tag))})`}
      </td>
      <td>{secret.lastAddress}</td>
    </tr>
  );
}
