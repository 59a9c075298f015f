import { useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Choice } from '../ui/choice.tsx';
import { Empty } from '../ui/empty.tsx';
import { Field } from '../ui/field.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';
import { Compared } from './compared.tsx';
import { RunList } from './run-list.tsx';
import { type Change, changes, useComparison } from './use-comparison.ts';

/** Asks a question set of the live versions and of another version or setting, and compares them question by question. */
export function CompareView({ api }: SectionProps) {
  const texts = useOperationTexts().evaluation.compare;
  const sets = useQuery(EvaluationService.method.listDataSets, {});
  const corpora = useQuery(RetrievalService.method.listCorpora);
  const [dataSet, setDataSet] = useState('');
  const [corpus, setCorpus] = useState('');
  const [change, setChange] = useState<Change>('rerank');
  const [version, setVersion] = useState('');
  const comparison = useComparison(api);
  const { progress, run, error } = comparison;
  const isVersionMissing = change === 'version' && (!/^\d{1,15}$/.test(version) || corpus === '');
  return (
    <Reply query={sets}>
      {({ dataSets }) => {
        const chosen = dataSet || (dataSets[0]?.dataSet ?? '');
        if (chosen === '') return <Empty title={texts.set} text={texts.nothing} />;
        return (
          <div className="stack">
            <div className="filters">
              <Choice
                label={texts.set}
                value={chosen}
                options={dataSets.map((each) => ({ value: each.dataSet, label: each.dataSet }))}
                onChange={setDataSet}
                testId="compare-set"
              />
              <Choice
                label={texts.corpus}
                value={corpus}
                options={[
                  { value: '', label: texts.allCorpora },
                  ...(corpora.data?.corpora ?? []).map(({ name }) => ({ value: name, label: name })),
                ]}
                onChange={setCorpus}
                testId="compare-corpus"
              />
              <Choice
                label={texts.change}
                value={change}
                options={changes.map((value) => ({ value, label: texts.changes[value] }))}
                onChange={setChange}
                testId="compare-change"
              />
              {change === 'version' && (
                <Field
                  label={texts.version}
                  hint={texts.versionHint}
                  value={version}
                  onChange={setVersion}
                  testId="compare-version"
                />
              )}
            </div>
            <div className="form-actions">
              <Button
                className="button primary"
                isDisabled={progress !== undefined || isVersionMissing}
                onPress={() => comparison.start({ dataSet: chosen, corpus, change, version })}
                data-testid="compare-run"
              >
                {texts.run}
              </Button>
              {progress !== undefined && (
                <>
                  <progress className="bar" max={progress.total || 1} value={progress.done} aria-label={texts.run} />
                  <span className="faint">{texts.running(String(progress.done), String(progress.total))}</span>
                  <Button className="button" onPress={comparison.stop}>
                    {texts.stop}
                  </Button>
                </>
              )}
            </div>
            <ActionFailure error={error} />
            {run !== undefined && <Compared run={run} />}
            <RunList />
          </div>
        );
      }}
    </Reply>
  );
}
