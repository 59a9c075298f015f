import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { useMutation } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { ApiKeyKind, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Checks } from '../../ui/checks.tsx';
import { Choice } from '../../ui/choice.tsx';
import { Field } from '../../ui/field.tsx';
import { PageHead } from '../../ui/page-head.tsx';
import { ActionFailure } from '../../ui/reply.tsx';
import { splitNames } from '../../ui/split-names.ts';
import { Secret } from './secret.tsx';

/** Lifetimes in days; 0: without end. */
const lifetimes = ['1', '30', '90', '365', '0'] as const;
const dayMs = 86_400_000;
/** A little less than the longest break-glass access, for clocks that differ. */
const breakGlassMs = dayMs - 60_000;

const empty = { name: '', user: '', groups: '', models: '', corpora: '', addresses: '', tenant: '', reason: '' };

/** Makes a key with rights of its creator, and shows its secret. */
export function KeyForm({ roles }: { roles: readonly Role[] }) {
  const texts = useOperationTexts().administration;
  const own = texts.keys;
  const queries = useQueryClient();
  const [kind, setKind] = useState<'user' | 'service'>('service');
  const [fields, setFields] = useState(empty);
  const [granted, setGranted] = useState<string[]>([String(Role.READER)]);
  const [lifetime, setLifetime] = useState<(typeof lifetimes)[number]>('90');
  const make = useMutation(ApiKeyService.method.createApiKey, { onSuccess: () => queries.invalidateQueries() });
  const set = (field: keyof typeof empty) => (value: string) => setFields({ ...fields, [field]: value });
  const isOther = fields.tenant !== '';
  const back = { href: linkTo('administration', 'keys'), label: texts.views.keys };
  const { data } = make;
  if (data?.key !== undefined) {
    return (
      <div className="stack">
        <PageHead title={data.key.name} back={back} />
        <Secret secret={data.secret} />
      </div>
    );
  }
  const submit = () => {
    const lifetimeMs = isOther ? breakGlassMs : Number(lifetime) * dayMs;
    make.mutate({
      kind: kind === 'user' ? ApiKeyKind.USER : ApiKeyKind.SERVICE_ACCOUNT,
      ...{ name: fields.name, tenant: fields.tenant, reason: isOther ? fields.reason : '' },
      user: kind === 'user' ? fields.user : '',
      roles: granted.map(Number) as Role[],
      groups: splitNames(fields.groups),
      models: splitNames(fields.models),
      corpora: splitNames(fields.corpora),
      addresses: splitNames(fields.addresses),
      ...(lifetimeMs > 0 && { expiresAt: timestampFromMs(Date.now() + lifetimeMs) }),
    });
  };
  return (
    <div className="stack">
      <PageHead title={own.create} back={back} />
      <form
        className="source-form"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div className="two-columns">
          <Field
            label={own.name}
            hint={own.nameHint}
            value={fields.name}
            onChange={set('name')}
            isRequired
            testId="key-name"
          />
          <Choice
            label={own.kind}
            value={kind}
            options={(['service', 'user'] as const).map((value) => ({ value, label: own.kinds[value] }))}
            onChange={setKind}
            testId="key-kind"
          />
        </div>
        {kind === 'user' ? (
          <Field
            label={own.user}
            hint={own.userHint}
            value={fields.user}
            onChange={set('user')}
            isRequired
            testId="key-user"
          />
        ) : (
          fields.name !== '' && <p className="faint">{own.serviceUser(fields.name)}</p>
        )}
        <Checks
          label={own.rights}
          hint={own.rightsHint}
          options={roles
            .filter((role) => texts.roles[role] !== undefined)
            .map((role) => ({ value: String(role), label: texts.roles[role] ?? '' }))}
          value={granted}
          onChange={setGranted}
          testId="key-roles"
        />
        <LimitFields fields={fields} set={set} />
        {roles.includes(Role.PLATFORM_ADMINISTRATOR) && (
          <Field
            label={own.otherTenant}
            hint={own.otherTenantHint}
            value={fields.tenant}
            onChange={set('tenant')}
            testId="key-of-tenant"
          />
        )}
        {isOther ? (
          <Field label={own.reason} value={fields.reason} onChange={set('reason')} isRequired testId="key-reason" />
        ) : (
          <Choice
            label={own.ends}
            value={lifetime}
            options={lifetimes.map((value) => ({ value, label: own.lifetimes[value] }))}
            onChange={setLifetime}
            testId="key-lifetime"
          />
        )}
        <ActionFailure error={make.error} />
        <div className="form-actions">
          <Button
            type="submit"
            className="button primary"
            isDisabled={make.isPending || fields.name === '' || granted.length === 0}
            data-testid="key-make"
          >
            {own.submit}
          </Button>
        </div>
      </form>
    </div>
  );
}

interface LimitFieldsProps {
  fields: typeof empty;
  set: (field: keyof typeof empty) => (value: string) => void;
}

/** To what a key is limited. */
function LimitFields({ fields, set }: LimitFieldsProps) {
  const own = useOperationTexts().administration.keys;
  return (
    <div className="two-columns">
      <Field
        label={own.groups}
        hint={own.groupsHint}
        value={fields.groups}
        onChange={set('groups')}
        testId="key-groups"
      />
      <Field
        label={own.corpora}
        hint={own.corporaHint}
        value={fields.corpora}
        onChange={set('corpora')}
        testId="key-corpora"
      />
      <Field
        label={own.models}
        hint={own.emptyAll}
        value={fields.models}
        onChange={set('models')}
        testId="key-models"
      />
      <Field
        label={own.addresses}
        hint={own.addressesHint}
        value={fields.addresses}
        onChange={set('addresses')}
        testId="key-addresses"
      />
    </div>
  );
}
