import { useMutation } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { FileTrigger } from 'react-aria-components/FileTrigger';
import { type ReconcileUsageResponse, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Field } from '../ui/field.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { ActionFailure } from '../ui/reply.tsx';

/** Largest file that the contract accepts. */
const maxBytes = 4_000_000;

/** Compares the ledger with a provider's usage file. */
export function ReconcileView() {
  const texts = useOperationTexts().cost.reconcile;
  const [file, setFile] = useState<{ name: string; csv: string }>();
  const [isTooLarge, setTooLarge] = useState(false);
  const [columns, setColumns] = useState({ dayColumn: 'date', modelColumn: 'model', costColumn: 'cost' });
  const compare = useMutation(UsageService.method.reconcileUsage);
  const set = (name: keyof typeof columns) => (value: string) => setColumns({ ...columns, [name]: value });
  const choose = async (chosen: File | undefined) => {
    if (chosen === undefined) return;
    setTooLarge(chosen.size > maxBytes);
    setFile(chosen.size > maxBytes ? undefined : { name: chosen.name, csv: await chosen.text() });
  };
  return (
    <div className="stack">
      <p>{texts.text}</p>
      <div className="page-actions">
        <FileTrigger acceptedFileTypes={['.csv', 'text/csv']} onSelect={(files) => choose(files?.[0])}>
          <Button className="button" data-testid="choose-csv">
            {texts.choose}
          </Button>
        </FileTrigger>
        {file !== undefined && <span className="strong">{file.name}</span>}
        {isTooLarge && (
          <span className="bad-text" role="alert">
            {texts.tooLarge}
          </span>
        )}
      </div>
      <div className="filters">
        <Field label={texts.dayColumn} value={columns.dayColumn} onChange={set('dayColumn')} testId="day-column" />
        <Field label={texts.modelColumn} value={columns.modelColumn} onChange={set('modelColumn')} />
        <Field label={texts.costColumn} value={columns.costColumn} onChange={set('costColumn')} />
      </div>
      <div className="form-actions">
        <Button
          className="button primary"
          isDisabled={file === undefined || compare.isPending}
          onPress={() => file !== undefined && compare.mutate({ csv: file.csv, ...columns })}
          data-testid="compare"
        >
          {compare.isPending ? texts.comparing : texts.compare}
        </Button>
      </div>
      <ActionFailure error={compare.error} />
      {compare.data !== undefined && <Result result={compare.data} />}
    </div>
  );
}

function Result({ result }: { result: ReconcileUsageResponse }) {
  const texts = useOperationTexts().cost.reconcile;
  const { tag } = useMessages();
  const money = new Intl.NumberFormat(tag, { minimumFractionDigits: 2, maximumFractionDigits: 6 });
  const percent = new Intl.NumberFormat(tag, { style: 'percent', maximumFractionDigits: 3 });
  const { differences, differenceCount } = result;
  const { columns } = texts;
  return (
    <>
      <Notice
        tone={differenceCount === 0 ? 'plain' : 'warning'}
        title={differenceCount === 0 ? texts.equal : texts.apart(percent.format(result.share))}
        testId="reconciled"
      >
        <p>{texts.totals(money.format(result.ledgerCost), money.format(result.providerCost))}</p>
        {differenceCount > differences.length && <p>{texts.more(formatCount(differenceCount, tag))}</p>}
      </Notice>
      {differences.length > 0 && (
        <PlainTable
          columns={[columns.day, columns.model, columns.ledger, columns.provider, columns.difference]}
          testId="differences"
        >
          {differences.map(({ day, model, ledgerCost, providerCost }) => (
            <tr key={`${day} ${model}`}>
              <th scope="row">{day}</th>
              <td>{model}</td>
              <td>{money.format(ledgerCost)}</td>
              <td>{money.format(providerCost)}</td>
              <td>{money.format(ledgerCost - providerCost)}</td>
            </tr>
          ))}
        </PlainTable>
      )}
    </>
  );
}
