import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { EvaluationJobService } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Choice } from '../ui/choice.tsx';
import { Empty } from '../ui/empty.tsx';
import { Field } from '../ui/field.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';
import { answerSuites, type Change, changes, runOf, suites } from './comparison.ts';
import { ComparisonList } from './comparison-list.tsx';
import { ComparisonPage } from './comparison-page.tsx';
import { RunList } from './run-list.tsx';

/** `compare`, `compare/<job>`: two ways to search compared on a question set, question by question. */
export function CompareView({ parts }: SectionProps) {
  const [jobId] = parts;
  return jobId === undefined ? <Comparisons /> : <ComparisonPage key={jobId} jobId={jobId} />;
}

/** Starts a comparison of the live versions with another version or setting, and lists the last ones. */
function Comparisons() {
  const { compare: texts, sets: setTexts, kinds } = useOperationTexts().evaluation;
  const sets = useQuery(EvaluationService.method.listDataSets, {});
  const corpora = useQuery(RetrievalService.method.listCorpora);
  const [dataSet, setDataSet] = useState('');
  const [corpus, setCorpus] = useState('');
  const [change, setChange] = useState<Change>('rerank');
  const [version, setVersion] = useState('');
  const [firstVersion, setFirstVersion] = useState('');
  const [suite, setSuite] = useState<SuiteKind>(SuiteKind.RETRIEVAL);
  const [model, setModel] = useState('');
  const [firstModel, setFirstModel] = useState('');
  const queries = useQueryClient();
  const start = useMutation(EvaluationJobService.method.startJob, {
    async onSuccess({ job }) {
      if (job !== undefined) window.location.hash = linkTo('evaluation', 'compare', job.jobId);
      await queries.invalidateQueries();
    },
  });
  const isRetrieval = suite === SuiteKind.RETRIEVAL;
  const areVersions = /^\d{1,15}$/.test(version) && /^\d{0,15}$/.test(firstVersion) && corpus !== '';
  const isVersionMissing = isRetrieval && change === 'version' && !areVersions;
  return (
    <Reply query={sets}>
      {({ dataSets }) => {
        const chosen = dataSet || (dataSets[0]?.dataSet ?? '');
        if (chosen === '') {
          return (
            <Empty title={setTexts.none} text={texts.nothing}>
              <a className="button primary" href={linkTo('evaluation', 'sets')}>
                {setTexts.import}
              </a>
            </Empty>
          );
        }
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
                label={texts.suite}
                value={String(suite)}
                options={suites.map((kind) => ({ value: String(kind), label: kinds[kind] ?? '' }))}
                onChange={(value) => setSuite(suites.find((kind) => String(kind) === value) ?? SuiteKind.RETRIEVAL)}
                testId="compare-suite"
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
              {isRetrieval && (
                <Choice
                  label={texts.change}
                  value={change}
                  options={changes.map((value) => ({ value, label: texts.changes[value] }))}
                  onChange={setChange}
                  testId="compare-change"
                />
              )}
              {answerSuites.has(suite) && (
                <Pair
                  id="model"
                  names={texts.model}
                  values={[firstModel, model]}
                  onChange={[setFirstModel, setModel]}
                />
              )}
              {isRetrieval && change === 'version' && (
                <Pair
                  id="version"
                  names={texts.version}
                  values={[firstVersion, version]}
                  onChange={[setFirstVersion, setVersion]}
                />
              )}
            </div>
            <div className="form-actions">
              <Button
                className="button primary"
                isDisabled={start.isPending || isVersionMissing}
                onPress={() => {
                  const changed = { change, version, firstVersion, model, firstModel };
                  start.mutate({ run: runOf({ dataSet: chosen, corpus, suite, ...changed }) });
                }}
                data-testid="compare-run"
              >
                {texts.run}
              </Button>
            </div>
            <ActionFailure error={start.error} />
            <ComparisonList />
            <RunList />
          </div>
        );
      }}
    </Reply>
  );
}

interface PairProps {
  id: string;
  names: { first: string; firstHint: string; second: string; secondHint: string };
  values: readonly [string, string];
  onChange: readonly [(value: string) => void, (value: string) => void];
}

/** The two versions or models that are compared. */
function Pair({ id, names, values: [first, second], onChange: [onFirst, onSecond] }: PairProps) {
  return (
    <>
      <Field
        label={names.first}
        hint={names.firstHint}
        value={first}
        onChange={onFirst}
        testId={`compare-first-${id}`}
      />
      <Field label={names.second} hint={names.secondHint} value={second} onChange={onSecond} testId={`compare-${id}`} />
    </>
  );
}
