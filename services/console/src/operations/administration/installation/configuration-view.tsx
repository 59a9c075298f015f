import { useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import {
  type GetConfigurationResponse,
  InstallationService,
  type Setting,
  SettingSource,
} from '#gen/ragmesh/evaluation/v1/installation_pb.ts';
import { formatCount } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Badge } from '../../ui/badge.tsx';
import { Choice } from '../../ui/choice.tsx';
import { DataTable } from '../../ui/data-table.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Reply } from '../../ui/reply.tsx';
import { SearchBox } from '../../ui/search-box.tsx';

const any = String(SettingSource.UNSPECIFIED);

/** `/administration/configuration`: every setting in force, and what has set it. */
export function ConfigurationView() {
  const configuration = useQuery(InstallationService.method.getConfiguration);
  return <Reply query={configuration}>{(reply) => <Settings reply={reply} />}</Reply>;
}

function Settings({ reply: { file, settings, sectionsToRestart } }: { reply: GetConfigurationResponse }) {
  const texts = useOperationTexts().installation;
  const { tag } = useMessages();
  const [words, setWords] = useState('');
  const [source, setSource] = useState(any);
  const found = settings.filter(
    (setting) =>
      (source === any || setting.source === Number(source)) &&
      words
        .toLowerCase()
        .split(/\s+/)
        .every((word) => `${setting.path} ${setting.value}`.toLowerCase().includes(word)),
  );
  return (
    <div className="stack">
      <p className="page-note">{file === '' ? texts.noFile : <code>{`${texts.file}: ${file}`}</code>}</p>
      {sectionsToRestart.length > 0 && (
        <p role="status">
          <Badge tone="warning">{texts.restart(sectionsToRestart.join(', '))}</Badge>
        </p>
      )}
      <div className="filters">
        <SearchBox label={texts.search} onSearch={setWords} testId="setting-search" />
        <Choice
          label={texts.source}
          isLabelHidden
          value={source}
          options={[
            { value: any, label: texts.anySource },
            ...Object.entries(texts.sources).map(([value, label]) => ({ value, label })),
          ]}
          onChange={setSource}
          testId="setting-source"
        />
        <span className="faint" role="status" data-testid="setting-count">
          {texts.found(formatCount(found.length, tag))}
        </span>
      </div>
      {found.length === 0 ? (
        <Empty title={texts.nothing} text={texts.nothingText} />
      ) : (
        <SettingTable settings={found} />
      )}
      <p className="faint">{texts.secrets}</p>
    </div>
  );
}

function SettingTable({ settings }: { settings: readonly Setting[] }) {
  const texts = useOperationTexts().installation;
  const { settingColumns: names } = texts;
  return (
    <DataTable
      label={names.path}
      testId="settings"
      items={settings}
      idOf={({ path }) => path}
      nameOf={({ path }) => path}
      rowHeight={40}
      columns={[
        { id: 'path', name: names.path, width: '3fr', isImportant: true, cell: ({ path }) => <code>{path}</code> },
        { id: 'value', name: names.value, width: '2fr', isImportant: true, cell: ({ value }) => value },
        {
          id: 'source',
          name: names.source,
          width: '1fr',
          cell: ({ source }) => (
            <Badge tone={source === SettingSource.DEFAULT ? 'plain' : 'good'}>{texts.sources[source]}</Badge>
          ),
        },
      ]}
    />
  );
}
