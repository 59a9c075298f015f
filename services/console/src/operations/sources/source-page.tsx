import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { type Source, SourceService, SourceState } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Confirm } from '../ui/confirm.tsx';
import { Facts } from '../ui/facts.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';
import { HeldRemovals } from './held-removals.tsx';
import { RunList } from './run-list.tsx';
import { SourceForm } from './source-form.tsx';
import { SourceStateBadge } from './source-state.tsx';

/** How often a source is read again, in milliseconds: a schedule runs it as well. */
const pollMs = 3000;

/** A source: how it is, its runs, and what waits for approval. */
export function SourcePage({ sourceId }: { sourceId: string }) {
  const source = useQuery(SourceService.method.getSource, { sourceId }, { refetchInterval: pollMs });
  return <Reply query={source}>{({ source: found }) => found && <Whole source={found} />}</Reply>;
}

function Whole({ source }: { source: Source }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const [isEditing, setEditing] = useState(false);
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries();
  const run = useMutation(SourceService.method.runSource, { onSuccess });
  const pause = useMutation(SourceService.method.pauseSource, { onSuccess });
  const resume = useMutation(SourceService.method.resumeSource, { onSuccess });
  const update = useMutation(SourceService.method.updateSource, {
    onSuccess: async () => {
      await onSuccess();
      setEditing(false);
    },
  });
  const remove = useMutation(SourceService.method.deleteSource);
  const { sourceId, settings } = source;
  const isPaused = source.state === SourceState.PAUSED;
  const isBusy = run.isPending || pause.isPending || resume.isPending;
  const time = (at: Source['nextRunAt']) =>
    at && new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' }).format(timestampDate(at));
  return (
    <>
      <PageHead
        title={settings?.name ?? sourceId}
        back={{ href: linkTo('sources'), label: texts.sources.title }}
        badge={<SourceStateBadge source={source} />}
      >
        <Button
          className="button primary"
          isDisabled={isBusy || isPaused}
          onPress={() => run.mutate({ sourceId })}
          data-testid="run-source"
        >
          {texts.sources.run}
        </Button>
        <Button
          className="button"
          isDisabled={isBusy || isPaused}
          onPress={() => run.mutate({ sourceId, dryRun: true })}
          data-testid="dry-run"
        >
          {texts.sources.dryRun}
        </Button>
        <Button
          className="button"
          isDisabled={isBusy}
          onPress={() => (isPaused ? resume : pause).mutate({ sourceId })}
          data-testid="pause-source"
        >
          {isPaused ? texts.sources.resume : texts.sources.pause}
        </Button>
        <Button
          className="button"
          onPress={() => setEditing(!isEditing)}
          aria-expanded={isEditing}
          data-testid="edit-source"
        >
          {texts.sources.edit}
        </Button>
        <Confirm
          label={texts.sources.delete}
          title={texts.sources.deleteTitle}
          action={texts.sources.delete}
          isDanger
          onConfirm={async () => {
            await remove.mutateAsync({ sourceId });
            await onSuccess();
            window.location.hash = linkTo('sources');
          }}
          testId="delete-source"
        >
          <p>{texts.sources.deleteText}</p>
        </Confirm>
      </PageHead>
      <ActionFailure error={run.error ?? pause.error ?? resume.error} />
      {source.error !== '' && (
        <Notice tone="error" title={texts.sources.lastRunFailed} testId="source-error">
          <p>{source.error}</p>
        </Notice>
      )}
      {source.heldRemovalCount > 0n && <HeldRemovals source={source} />}
      {isEditing && settings !== undefined && (
        <SourceForm
          settings={settings}
          action={texts.sources.save}
          onSubmit={(changed) => update.mutate({ sourceId, settings: changed })}
          isBusy={update.isPending}
          error={update.error}
        />
      )}
      <Facts
        facts={[
          [texts.documents.corpus, settings && <a href={linkTo('documents', settings.corpus)}>{settings.corpus}</a>],
          [texts.sources.adapter, settings?.adapter],
          [texts.sources.columns.entries, formatCount(source.entryCount, tag)],
          [texts.sources.schedule, settings?.schedule || texts.sources.hourly],
          [texts.sources.columns.next, time(source.nextRunAt)],
          [texts.sources.createdBy, source.createdBy],
        ]}
      />
      <RunList sourceId={sourceId} />
    </>
  );
}
