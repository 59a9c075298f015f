import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery, useMutation } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { type Tenant, TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Empty } from '../ui/empty.tsx';
import { Field } from '../ui/field.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';

/** The tenants of the installation: names for people, and which are disabled. */
export function TenantList() {
  const { administration, more } = useOperationTexts();
  const { tag } = useMessages();
  const texts = administration.tenants;
  const queries = useQueryClient();
  const [tenant, setTenant] = useState('');
  const [displayName, setDisplayName] = useState('');
  const put = useMutation(TenantService.method.putTenant);
  const tenants = useInfiniteQuery(
    TenantService.method.listTenants,
    { pageSize: 100, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const store = async (change: { tenant: string; displayName: string; isDisabled: boolean }) => {
    await put.mutateAsync(change);
    await queries.invalidateQueries();
  };
  const change = ({ tenant: name, displayName: shown, isDisabled }: Tenant) => {
    const next = { tenant: name, displayName: shown, isDisabled: !isDisabled };
    if (isDisabled) {
      return (
        <Button className="button" onPress={() => store(next)} data-testid="enable-tenant">
          {texts.enable}
        </Button>
      );
    }
    return (
      <Confirm
        label={texts.disable}
        title={texts.disableTitle(name)}
        action={texts.disable}
        isDanger
        onConfirm={() => store(next)}
        testId="disable-tenant"
      >
        <p>{texts.disableText}</p>
      </Confirm>
    );
  };
  return (
    <div className="stack">
      <div className="page-actions">
        <Confirm
          label={texts.create}
          title={texts.create}
          action={texts.save}
          onConfirm={async () => {
            await store({ tenant, displayName, isDisabled: false });
            setTenant('');
            setDisplayName('');
          }}
          testId="new-tenant"
        >
          <Field label={texts.name} value={tenant} onChange={setTenant} isRequired testId="tenant-name" />
          <Field label={texts.displayName} value={displayName} onChange={setDisplayName} />
        </Confirm>
      </div>
      <Reply query={tenants}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.tenants);
          if (all.length === 0) return <Empty title={texts.none} text={texts.noneText} />;
          return (
            <>
              <PlainTable
                columns={[texts.name, texts.displayName, texts.state, texts.changed]}
                actions={administration.actions}
                testId="tenants"
              >
                {all.map((one) => (
                  <tr key={one.tenant}>
                    <th scope="row">
                      <a href={linkTo('administration', 'keys', 'of', one.tenant)}>{one.tenant}</a>
                    </th>
                    <td>{one.displayName}</td>
                    <td>
                      <Badge tone={one.isDisabled ? 'bad' : 'good'}>
                        {one.isDisabled ? texts.disabled : texts.enabled}
                      </Badge>
                    </td>
                    <td>{one.updatedAt && formatTime(timestampDate(one.updatedAt), tag)}</td>
                    <td className="row-actions">{change(one)}</td>
                  </tr>
                ))}
              </PlainTable>
              {tenants.hasNextPage && (
                <Button className="button" onPress={() => tenants.fetchNextPage()}>
                  {more}
                </Button>
              )}
            </>
          );
        }}
      </Reply>
    </div>
  );
}
