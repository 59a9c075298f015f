import { createClient } from '@connectrpc/connect';
import { useMutation } from '@tanstack/react-query';
import { Button } from 'react-aria-components/Button';
import { UsageFormat, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import type { Api } from '../../api.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { ActionFailure } from '../ui/reply.tsx';
import { saveFile } from '../ui/save-file.ts';
import type { Days } from './ranges.ts';

const timeoutMs = 300_000;

/** Saves the usage of some days as a file. */
export function ExportUsage({ api, days }: { api: Api; days: Days }) {
  const texts = useOperationTexts().cost.usage;
  const save = useMutation({
    mutationFn: async (format: UsageFormat) => {
      const parts: string[] = [];
      const replies = createClient(UsageService, api.transport).exportUsage({ ...days, format }, { timeoutMs });
      for await (const { text } of replies) parts.push(text);
      const kind = format === UsageFormat.FOCUS ? 'focus' : 'usage';
      saveFile(`${kind}-${days.fromDay}-${days.beforeDay}.csv`, 'text/csv', parts);
    },
  });
  const button = (format: UsageFormat, label: string, testId: string) => (
    <Button
      className="button"
      aria-label={`${texts.exportLabel}: ${label}`}
      isDisabled={save.isPending}
      onPress={() => save.mutate(format)}
      data-testid={testId}
    >
      {save.isPending && save.variables === format ? texts.exporting : label}
    </Button>
  );
  return (
    <>
      {button(UsageFormat.CSV, texts.exportCsv, 'export-csv')}
      {button(UsageFormat.FOCUS, texts.exportFocus, 'export-focus')}
      <ActionFailure error={save.error} />
    </>
  );
}
