import type { Client } from '@connectrpc/connect';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { formatCount } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { ActionFailure } from '../../ui/reply.tsx';
import { saveFile } from '../../ui/save-file.ts';
import type { AuditFilter } from './audit-filter.ts';
import { exportEntries, maxExported } from './entries.ts';

/** Saves the entries of a filter as a file of JSON lines. */
export function ExportEntries({ client, filter }: { client: Client<typeof AuditService>; filter: AuditFilter }) {
  const texts = useOperationTexts().administration.audit;
  const { tag } = useMessages();
  const [count, setCount] = useState(0);
  const save = useMutation({
    mutationFn: () => exportEntries(client, filter, setCount),
    onSuccess: (lines) => saveFile('audit.jsonl', 'application/jsonl', lines),
  });
  return (
    <>
      <Button className="button" isDisabled={save.isPending} onPress={() => save.mutate()} data-testid="export-audit">
        {save.isPending ? texts.exporting(formatCount(count, tag)) : texts.exportLines}
      </Button>
      <ActionFailure error={save.error} />
      {save.data?.length === maxExported && (
        <p className="faint" role="status">
          {texts.exportFull(formatCount(maxExported, tag))}
        </p>
      )}
    </>
  );
}
