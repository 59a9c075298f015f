import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { formatTime } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Confirm } from '../../ui/confirm.tsx';
import { Field } from '../../ui/field.tsx';
import { PlainTable } from '../../ui/plain-table.tsx';
import { Reply } from '../../ui/reply.tsx';

/** Legal holds: what no erasure removes. */
export function Holds() {
  const { administration } = useOperationTexts();
  const texts = administration.privacy;
  const { tag } = useMessages();
  const queries = useQueryClient();
  const [user, setUser] = useState('');
  const [reason, setReason] = useState('');
  const holds = useQuery(PrivacyService.method.listLegalHolds, {});
  const put = useMutation(PrivacyService.method.putLegalHold);
  const release = useMutation(PrivacyService.method.releaseLegalHold);
  return (
    <section aria-label={texts.holds} className="stack-small">
      <div className="page-head">
        <h3 className="sub-head">{texts.holds}</h3>
        <Confirm
          label={texts.hold}
          title={texts.holdTitle}
          action={texts.hold}
          onConfirm={async () => {
            await put.mutateAsync({ user, reason });
            await queries.invalidateQueries();
            setUser('');
            setReason('');
          }}
          testId="new-hold"
        >
          <p>{texts.holdText}</p>
          <Field label={texts.user} value={user} onChange={setUser} testId="hold-user" />
          <Field label={texts.reason} value={reason} onChange={setReason} isRequired testId="hold-reason" />
        </Confirm>
      </div>
      <Reply query={holds}>
        {({ holds: all }) =>
          all.length === 0 ? (
            <p className="faint">{texts.noHolds}</p>
          ) : (
            <PlainTable
              columns={[texts.user, texts.reason, texts.setBy, texts.since]}
              actions={administration.actions}
              testId="holds"
            >
              {all.map((hold) => (
                <tr key={hold.user}>
                  <th scope="row">{hold.user || texts.everyone}</th>
                  <td>{hold.reason}</td>
                  <td>{hold.setBy}</td>
                  <td>{hold.setAt && formatTime(timestampDate(hold.setAt), tag)}</td>
                  <td className="row-actions">
                    <Confirm
                      label={texts.release}
                      title={texts.releaseTitle}
                      action={texts.release}
                      onConfirm={async () => {
                        await release.mutateAsync({ user: hold.user });
                        await queries.invalidateQueries();
                      }}
                      testId="release-hold"
                    >
                      <p>{texts.releaseText}</p>
                    </Confirm>
                  </td>
                </tr>
              ))}
            </PlainTable>
          )
        }
      </Reply>
    </section>
  );
}
