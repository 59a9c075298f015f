import { useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { Icon } from '../../components/icon.tsx';
import { type LabQuery, labQueryOf, toList } from '../../state/lab-query.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { Field } from '../ui/field.tsx';

interface LabFormProps {
  query: LabQuery;
  isRunning: boolean;
  onRun: (query: LabQuery) => void;
}

/** The question, as whom it is asked, and the settings of the run. */
export function LabForm({ query, isRunning, onRun }: LabFormProps) {
  const texts = useOperationTexts();
  const corpora = useQuery(RetrievalService.method.listCorpora);
  const [draft, setDraft] = useState(query);
  const [numbers, setNumbers] = useState({
    k: String(query.topK),
    n: String(query.candidates),
    w: query.vectorWeight === undefined ? '' : String(query.vectorWeight),
    d: query.diversity === 0 ? '' : String(query.diversity),
  });
  const [groups, setGroups] = useState(query.groups.join(', '));
  const set = (change: Partial<LabQuery>) => setDraft({ ...draft, ...change });
  const names = (corpora.data?.corpora ?? []).map(({ name }) => name);
  const chosen = draft.corpora.length === 1 ? (draft.corpora[0] ?? '') : '';
  const others = draft.corpora.length > 1 ? [{ value: draft.corpora.join(','), label: draft.corpora.join(', ') }] : [];
  const run = () => {
    // The same reading as that of an address, so that a number out of range becomes one within it.
    const { topK, candidates, vectorWeight, diversity } = labQueryOf(new URLSearchParams(numbers).toString());
    onRun({ ...draft, groups: toList(groups), topK, candidates, vectorWeight, diversity });
  };
  return (
    <form
      className="lab-form"
      aria-label={texts.lab.title}
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      <div className="lab-question">
        <Field
          label={texts.lab.question}
          value={draft.question}
          onChange={(question) => set({ question })}
          testId="lab-question"
        />
        <Choice
          label={texts.documents.corpus}
          value={others.length > 0 ? draft.corpora.join(',') : chosen}
          options={[
            { value: '', label: texts.lab.allCorpora },
            ...names.map((name) => ({ value: name, label: name })),
            ...others,
          ]}
          onChange={(value) => set({ corpora: toList(value) })}
          testId="lab-corpus"
        />
        <Button
          type="submit"
          className="button primary"
          isDisabled={isRunning || draft.question.trim() === ''}
          data-testid="lab-run"
        >
          {texts.lab.run}
        </Button>
      </div>
      <ViewAsFields draft={draft} set={set} groups={groups} onGroups={setGroups} />
      <RunSettings query={query} draft={draft} set={set} numbers={numbers} onNumbers={setNumbers} />
    </form>
  );
}

/** The numbers of a run as they are typed. */
interface Numbers {
  k: string;
  n: string;
  w: string;
  d: string;
}

interface DraftProps {
  draft: LabQuery;
  set: (change: Partial<LabQuery>) => void;
}

interface ViewAsProps extends DraftProps {
  groups: string;
  onGroups: (groups: string) => void;
}

/** As whom the search runs. */
function ViewAsFields({ draft, set, groups, onGroups }: ViewAsProps) {
  const texts = useOperationTexts();
  return (
    <details className="lab-more" open={draft.user !== '' || undefined}>
      <summary data-testid="lab-as-open">
        <Icon name="down_small" size={14} /> {draft.user === '' ? texts.lab.asYourself : texts.lab.asUser(draft.user)}
      </summary>
      <div className="lab-fields">
        <Field label={texts.lab.user} value={draft.user} onChange={(user) => set({ user })} testId="lab-user" />
        <Field
          label={texts.lab.groups}
          hint={texts.lab.groupsHint}
          value={groups}
          onChange={onGroups}
          testId="lab-groups"
        />
        <Field
          label={texts.lab.reason}
          hint={texts.lab.reasonHint}
          value={draft.reason}
          onChange={(reason) => set({ reason })}
          testId="lab-reason"
        />
      </div>
    </details>
  );
}

interface RunSettingsProps extends DraftProps {
  query: LabQuery;
  numbers: Numbers;
  onNumbers: (numbers: Numbers) => void;
}

/** Limits, weights and parts of the search. */
function RunSettings({ query, draft, set, numbers, onNumbers }: RunSettingsProps) {
  const texts = useOperationTexts();
  const number = (name: keyof typeof numbers, label: string, hint?: string) => (
    <Field
      label={label}
      {...(hint !== undefined && { hint })}
      value={numbers[name]}
      onChange={(value) => onNumbers({ ...numbers, [name]: value })}
      testId={`lab-${name}`}
    />
  );
  const hasSettings =
    numbers.k !== '8' ||
    numbers.n !== '50' ||
    numbers.w !== '' ||
    numbers.d !== '' ||
    draft.legs !== 'both' ||
    draft.fusion !== 'normalised' ||
    !draft.rerank ||
    draft.versions.length > 0;
  return (
    <details className="lab-more" open={hasSettings || undefined}>
      <summary data-testid="lab-settings-open">
        <Icon name="down_small" size={14} /> {texts.lab.settings}
      </summary>
      <div className="lab-fields">
        {number('k', texts.lab.topK, '1–100')}
        {number('n', texts.lab.candidates, '1–200')}
        {number('w', texts.lab.vectorWeight, texts.lab.vectorWeightHint)}
        {number('d', texts.lab.diversity, '0–1')}
        <Choice
          label={texts.lab.legs}
          value={draft.legs}
          options={(['both', 'vector', 'keyword'] as const).map((value) => ({
            value,
            label: texts.lab.legNames[value],
          }))}
          onChange={(legs) => set({ legs })}
        />
        <Choice
          label={texts.lab.fusion}
          value={draft.fusion}
          options={(['normalised', 'rank'] as const).map((value) => ({ value, label: texts.lab.fusions[value] }))}
          onChange={(fusion) => set({ fusion })}
        />
        <Choice
          label={texts.lab.rerank}
          value={draft.rerank ? 'on' : 'off'}
          options={(['on', 'off'] as const).map((value) => ({ value, label: texts.lab.switches[value] }))}
          onChange={(value) => set({ rerank: value === 'on' })}
          testId="lab-rerank"
        />
        <Choice
          label={texts.lab.versions}
          value={draft.versions.length === 0 ? 'live' : 'kept'}
          options={[
            { value: 'live', label: texts.lab.live },
            ...(query.versions.length > 0
              ? [{ value: 'kept', label: query.versions.map(([name, version]) => `${name} ${version}`).join(', ') }]
              : []),
          ]}
          onChange={(value) => set({ versions: value === 'live' ? [] : query.versions })}
          testId="lab-versions"
        />
      </div>
    </details>
  );
}
