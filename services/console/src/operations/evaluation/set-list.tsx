import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { FileTrigger } from 'react-aria-components/FileTrigger';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EvaluationService, type JudgedQuery } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Empty } from '../ui/empty.tsx';
import { Field } from '../ui/field.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';
import { BadLineError, parseQuestions } from './parse-questions.ts';
import { ProductionQuestions } from './production-questions.tsx';
import type { Question } from './read-questions.ts';

/** Questions of one request. */
const batch = 500;

/** Question sets: those that are there, import of a file, and questions that people have asked. */
export function SetList({ api, roles }: SectionProps) {
  const texts = useOperationTexts().evaluation.sets;
  const { tag } = useMessages();
  const queries = useQueryClient();
  const [target, setTarget] = useState('');
  const [badLine, setBadLine] = useState(0);
  const [stored, setStored] = useState<number>();
  const sets = useQuery(EvaluationService.method.listDataSets, {});
  const add = useMutation(EvaluationService.method.addQueries);
  const store = async (questions: readonly (JudgedQuery | Question)[]) => {
    for (let start = 0; start < questions.length; start += batch) {
      const part = { dataSet: target, queries: questions.slice(start, start + batch) };
      setStored((await add.mutateAsync(part)).queryCount);
    }
    await queries.invalidateQueries();
  };
  const importFile = async (file: File | undefined) => {
    if (file === undefined) return;
    setBadLine(0);
    try {
      await store(parseQuestions(await file.text()));
    } catch (error) {
      if (error instanceof BadLineError) setBadLine(error.line);
    }
  };
  return (
    <div className="stack">
      <Reply query={sets}>
        {({ dataSets }) =>
          dataSets.length === 0 ? (
            <Empty title={texts.none} text={texts.noneText} />
          ) : (
            <PlainTable columns={[texts.name, texts.count]} testId="data-sets">
              {dataSets.map(({ dataSet, queryCount }) => (
                <tr key={dataSet}>
                  <th scope="row">{dataSet}</th>
                  <td>{formatCount(queryCount, tag)}</td>
                </tr>
              ))}
            </PlainTable>
          )
        }
      </Reply>
      <section className="stack-small" aria-label={texts.import}>
        <h3 className="sub-head">{texts.import}</h3>
        <div className="single-field">
          <Field label={texts.target} hint={texts.targetHint} value={target} onChange={setTarget} testId="set-name" />
        </div>
        <div className="page-actions">
          <FileTrigger acceptedFileTypes={['.jsonl', '.json']} onSelect={(files) => importFile(files?.[0])}>
            <Button className="button" isDisabled={target === '' || add.isPending} data-testid="import-set">
              {texts.choose}
            </Button>
          </FileTrigger>
          {stored !== undefined && <span role="status">{texts.imported(formatCount(stored, tag))}</span>}
        </div>
        {badLine > 0 && (
          <p className="bad-text" role="alert">
            {texts.badLine(badLine)}
          </p>
        )}
        <p className="faint">{texts.importHint}</p>
        <ActionFailure error={add.error} />
      </section>
      <section className="stack-small" aria-label={texts.production}>
        <h3 className="sub-head">{texts.production}</h3>
        {roles.includes(Role.AUDITOR) ? (
          <ProductionQuestions api={api} canAdd={target !== '' && !add.isPending} onAdd={store} />
        ) : (
          <p className="faint">{texts.needsAuditor}</p>
        )}
      </section>
    </div>
  );
}
