import type { Client } from '@connectrpc/connect';
import { useState } from 'react';
import type { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Confirm } from '../../ui/confirm.tsx';
import { Field } from '../../ui/field.tsx';
import { saveFile } from '../../ui/save-file.ts';

const timeoutMs = 600_000;

/** Saves what is stored of a user as a file. */
export function ExportUser({ client }: { client: Client<typeof PrivacyService> }) {
  const texts = useOperationTexts().administration.privacy;
  const [user, setUser] = useState('');
  return (
    <div className="page-actions">
      <Confirm
        label={texts.exportUser}
        title={texts.exportUserTitle}
        action={texts.save}
        onConfirm={async () => {
          const lines: string[] = [];
          for await (const { json } of client.exportUser({ user }, { timeoutMs })) lines.push(`${json}\n`);
          saveFile(`${user.replaceAll(/[^\w.-]/g, '_')}.jsonl`, 'application/jsonl', lines);
        }}
        testId="export-user"
      >
        <p>{texts.exportUserText}</p>
        <Field label={texts.user} value={user} onChange={setUser} isRequired testId="export-user-name" />
      </Confirm>
    </div>
  );
}
