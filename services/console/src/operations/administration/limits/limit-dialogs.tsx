import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { useMutation } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { LimitService, type StoredLimit } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Choice } from '../../ui/choice.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Field } from '../../ui/field.tsx';
import { type AmountTexts, fromTexts, kinds, toTexts } from './amounts.ts';

/** A layer and a name in it. */
export interface LimitName {
  layer: string;
  name: string;
}

interface DialogProps extends LimitName {
  /** What is stored; absent: nothing. */
  stored: StoredLimit | undefined;
}

/** Names the state of what is not stored. */
const absentEtag = '0';
const hourMs = 3_600_000;
/** Lengths of a raise in hours. */
const lengths = ['1', '24', '168', '720'] as const;

const targetOf = ({ layer, name }: LimitName) => ({ layer, name: layer === 'tenant' ? '' : name });

/** Stores a limit, or changes the stored one. */
export function EditLimit({ layer, name, stored }: DialogProps) {
  const texts = useOperationTexts().administration.limits;
  const queries = useQueryClient();
  const put = useMutation(LimitService.method.putLimit);
  const [amounts, setAmounts] = useState(() => toTexts(stored?.limit));
  const limit = fromTexts(amounts, stored?.limit);
  return (
    <Confirm
      label={texts.edit}
      title={texts.editTitle(name)}
      action={texts.save}
      onConfirm={async () => {
        if (limit === undefined) throw new Error(texts.noAmount);
        const { keys = [], users = [], etag: expectedEtag = absentEtag } = stored ?? {};
        await put.mutateAsync({ target: targetOf({ layer, name }), limit, keys, users, expectedEtag });
        await queries.invalidateQueries();
      }}
      testId="edit-limit"
    >
      <p>{texts.editText}</p>
      <AmountFields amounts={amounts} onChange={setAmounts} />
    </Confirm>
  );
}

/** Puts another limit in the place of one until a time. */
export function RaiseLimit({ layer, name, stored }: DialogProps) {
  const texts = useOperationTexts().administration.limits;
  const queries = useQueryClient();
  const raise = useMutation(LimitService.method.raiseLimit);
  const [amounts, setAmounts] = useState(() => toTexts(stored?.raise?.limit ?? stored?.limit));
  const [hours, setHours] = useState<(typeof lengths)[number]>('24');
  const [reason, setReason] = useState('');
  const limit = fromTexts(amounts, stored?.limit);
  return (
    <Confirm
      label={texts.raise}
      title={texts.raiseTitle(name)}
      action={texts.raise}
      onConfirm={async () => {
        if (limit === undefined) throw new Error(texts.noAmount);
        const until = timestampFromMs(Date.now() + Number(hours) * hourMs);
        const expectedEtag = stored?.etag ?? absentEtag;
        await raise.mutateAsync({ target: targetOf({ layer, name }), limit, until, reason, expectedEtag });
        await queries.invalidateQueries();
      }}
      testId="raise-limit"
    >
      <p>{texts.raiseText}</p>
      <AmountFields amounts={amounts} onChange={setAmounts} />
      <Choice
        label={texts.ends}
        value={hours}
        options={lengths.map((value) => ({ value, label: texts.lengths[value] }))}
        onChange={setHours}
      />
      <Field label={texts.reason} value={reason} onChange={setReason} isRequired testId="raise-reason" />
    </Confirm>
  );
}

/** Ends a raise, or removes a stored limit so that the configuration applies. */
export function DropLimit({ layer, name, stored }: DialogProps) {
  const texts = useOperationTexts().administration.limits;
  const queries = useQueryClient();
  const end = useMutation(LimitService.method.endRaise);
  const remove = useMutation(LimitService.method.removeLimit);
  if (stored === undefined) return null;
  const isRaised = stored.raise !== undefined;
  const label = isRaised ? texts.endRaise : texts.remove;
  return (
    <Confirm
      label={label}
      title={`${label}: ${name}`}
      action={label}
      isDanger
      onConfirm={async () => {
        const request = { target: targetOf({ layer, name }), expectedEtag: stored.etag };
        await (isRaised ? end.mutateAsync(request) : remove.mutateAsync(request));
        await queries.invalidateQueries();
      }}
      testId={isRaised ? 'end-raise' : 'remove-limit'}
    >
      <p>{isRaised ? texts.endRaiseText : texts.removeText}</p>
    </Confirm>
  );
}

interface AmountFieldsProps {
  amounts: AmountTexts;
  onChange: (amounts: AmountTexts) => void;
}

/** A field for each amount. */
function AmountFields({ amounts, onChange }: AmountFieldsProps) {
  const { cost, administration } = useOperationTexts();
  return (
    <>
      <div className="amounts">
        {kinds.map((kind) => (
          <Field
            key={kind}
            label={cost.limits.kinds[kind] ?? kind}
            value={amounts[kind]}
            onChange={(value) => onChange({ ...amounts, [kind]: value })}
            testId={`amount-${kind}`}
          />
        ))}
      </div>
      <p className="faint">{administration.limits.amountsHint}</p>
    </>
  );
}
