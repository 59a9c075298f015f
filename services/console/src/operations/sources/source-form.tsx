import { create, type JsonObject } from '@bufbuild/protobuf';
import { useMutation } from '@connectrpc/connect-query';
import { type ReactNode, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { SourceService, type SourceSettings, SourceSettingsSchema } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { Field } from '../ui/field.tsx';
import { formatBytes } from '../ui/format-bytes.ts';
import { ActionFailure } from '../ui/reply.tsx';
import { splitNames } from '../ui/split-names.ts';
import { type Adapter, adapters, exampleOf } from './adapters.ts';

interface SourceFormProps {
  /** The settings to begin with; absent for a new source. */
  settings?: SourceSettings;
  action: string;
  onSubmit: (settings: SourceSettings) => void;
  isBusy: boolean;
  error: Error | null;
  children?: ReactNode;
}

/** The settings of a source, with a test that stores nothing. */
export function SourceForm({ settings, action, onSubmit, isBusy, error, children }: SourceFormProps) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const [name, setName] = useState(settings?.name ?? '');
  const [corpus, setCorpus] = useState(settings?.corpus ?? '');
  const [adapter, setAdapter] = useState((settings?.adapter ?? 'web') as Adapter);
  const [text, setText] = useState(JSON.stringify(settings?.settings ?? exampleOf('web'), undefined, 2));
  const [schedule, setSchedule] = useState(settings?.schedule ?? '');
  const [groups, setGroups] = useState(settings?.defaultAccess?.groups.join(' ') ?? '');
  const test = useMutation(SourceService.method.testSource);
  const parsed = parseSettings(text);
  const wanted = create(SourceSettingsSchema, {
    ...(settings && withoutType(settings)),
    name,
    corpus,
    adapter,
    ...(parsed !== undefined && { settings: parsed }),
    schedule,
    defaultAccess: { groups: splitNames(groups) },
  });
  const isComplete = name !== '' && corpus !== '' && parsed !== undefined;
  return (
    <form
      className="source-form"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit(wanted);
      }}
    >
      <Field
        label={texts.sources.columns.name}
        hint={texts.sources.nameHint}
        value={name}
        onChange={setName}
        isRequired
        testId="source-name"
      />
      <Field label={texts.documents.corpus} value={corpus} onChange={setCorpus} isRequired testId="source-corpus" />
      <Choice
        label={texts.sources.adapter}
        value={adapter}
        options={adapters.map((value) => ({ value, label: texts.sources.adapters[value] }))}
        onChange={(chosen) => {
          setAdapter(chosen);
          if (settings === undefined) setText(JSON.stringify(exampleOf(chosen), undefined, 2));
        }}
        testId="source-adapter"
      />
      <Field
        label={texts.sources.settings}
        hint={parsed === undefined ? texts.sources.notJson : texts.sources.settingsHint}
        value={text}
        onChange={setText}
        rows={8}
        testId="source-settings"
      />
      <Field label={texts.sources.schedule} hint={texts.sources.scheduleHint} value={schedule} onChange={setSchedule} />
      <Field label={texts.upload.groups} hint={texts.upload.groupsHint} value={groups} onChange={setGroups} />
      {test.data !== undefined && (
        <Notice
          tone={test.data.problem === '' ? 'plain' : 'error'}
          title={test.data.problem === '' ? texts.sources.testPassed : texts.sources.testFailed}
          testId="source-test"
        >
          <p>
            {test.data.problem ||
              texts.sources.testFound(test.data.mediaType, formatBytes(Number(test.data.sizeBytes), tag))}
          </p>
          <ul className="plain-list">
            {test.data.entryIds.map((id) => (
              <li key={id}>{id}</li>
            ))}
          </ul>
        </Notice>
      )}
      <ActionFailure error={test.error ?? error} />
      <div className="form-actions">
        <Button type="submit" className="button primary" isDisabled={!isComplete || isBusy} data-testid="source-save">
          {action}
        </Button>
        <Button
          className="button"
          isDisabled={!isComplete || test.isPending}
          onPress={() => test.mutate({ source: { case: 'settings', value: wanted } })}
          data-testid="source-test-button"
        >
          {test.isPending ? texts.sources.testing : texts.sources.test}
        </Button>
        {children}
      </div>
    </form>
  );
}

/** The fields of a message, to make another one of. */
function withoutType({ $typeName: _, $unknown, ...fields }: SourceSettings) {
  return fields;
}

function parseSettings(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
