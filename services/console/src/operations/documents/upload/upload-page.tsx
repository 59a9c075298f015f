import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { DropZone } from 'react-aria-components/DropZone';
import { FileTrigger } from 'react-aria-components/FileTrigger';
import { Text } from 'react-aria-components/Text';
import { Icon } from '../../../components/icon.tsx';
import { useMessages } from '../../../i18n/index.ts';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { JobProgress } from '../../jobs/job-progress.tsx';
import { Field } from '../../ui/field.tsx';
import { formatBytes } from '../../ui/format-bytes.ts';
import { PageHead } from '../../ui/page-head.tsx';
import { ActionFailure } from '../../ui/reply.tsx';
import { splitNames } from '../../ui/split-names.ts';
import { type ChosenFile, chosenFiles, type DroppedItem, filesOf } from './dropped-files.ts';
import { TableMapping } from './table-mapping.tsx';
import { isTextTable } from './table-preview.ts';
import { type FileOptions, useUpload } from './use-upload.ts';

interface UploadPageProps {
  corpora: readonly string[];
  /** The corpus to begin with; may be empty. */
  corpus: string;
  apiKey: string;
}

/** Rows of the list of chosen files; the rest is counted. */
const shownFiles = 200;

/** Uploads files and folders into a corpus, and follows the jobs that index them. */
export function UploadPage({ corpora, corpus, apiKey }: UploadPageProps) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const [name, setName] = useState(corpus || 'help');
  const [groups, setGroups] = useState('');
  const [files, setFiles] = useState<ChosenFile[]>([]);
  const [options, setOptions] = useState<Record<string, FileOptions>>({});
  const upload = useUpload(apiKey);
  const add = (more: readonly ChosenFile[]) =>
    setFiles((before) => [...new Map([...before, ...more].map((file) => [file.path, file])).values()]);
  const bytes = files.reduce((sum, { content }) => sum + content.size, 0);
  const isNameValid = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name);
  const isRunning = upload.state === 'running';

  return (
    <>
      <PageHead
        title={texts.upload.title}
        back={{
          href: linkTo('documents', ...(corpus === '' ? [] : [corpus])),
          label: corpus || texts.upload.documents,
        }}
      />
      <form
        className="upload"
        onSubmit={(event) => {
          event.preventDefault();
          const accessGroups = splitNames(groups);
          void upload.start({ corpus: name, groups: accessGroups, files, options });
        }}
      >
        <div className="upload-target">
          <Field
            label={texts.documents.corpus}
            hint={corpora.includes(name) ? texts.upload.addsTo(name) : texts.upload.creates}
            value={name}
            onChange={setName}
            isRequired
            isDisabled={isRunning}
            testId="upload-corpus"
          />
          <Field
            label={texts.upload.groups}
            hint={texts.upload.groupsHint}
            value={groups}
            onChange={setGroups}
            isDisabled={isRunning}
            testId="upload-groups"
          />
        </div>
        <DropZone
          className="drop-zone"
          isDisabled={isRunning}
          onDrop={async ({ items }) => add(await filesOf(items as Iterable<DroppedItem>))}
        >
          <Icon name="library" size={28} />
          <Text slot="label">{texts.upload.drop}</Text>
          <p className="field-hint">{texts.upload.formats}</p>
          <div className="drop-actions">
            <FileTrigger allowsMultiple onSelect={(list) => list && add(chosenFiles(list))}>
              <Button className="button" isDisabled={isRunning} data-testid="choose-files">
                {texts.upload.chooseFiles}
              </Button>
            </FileTrigger>
            <FileTrigger acceptDirectory onSelect={(list) => list && add(chosenFiles(list))}>
              <Button className="button" isDisabled={isRunning}>
                {texts.upload.chooseFolder}
              </Button>
            </FileTrigger>
          </div>
        </DropZone>
        {files.length > 0 && (
          <section className="chosen" aria-label={texts.upload.chosen}>
            <h3>{texts.upload.count(files.length, formatBytes(bytes, tag))}</h3>
            <ul>
              {files.slice(0, shownFiles).map((file) => (
                <li key={file.path}>
                  <span className="chosen-path">{file.path}</span>
                  <span className="faint">{formatBytes(file.content.size, tag)}</span>
                  {!isRunning && (
                    <Button
                      className="icon-button"
                      aria-label={texts.upload.remove(file.path)}
                      onPress={() => setFiles(files.filter((other) => other !== file))}
                    >
                      <Icon name="close" size={14} />
                    </Button>
                  )}
                  {isTextTable(file.path) && (
                    <TableMapping
                      file={file}
                      options={options[file.path]}
                      onChange={(changed) => setOptions({ ...options, [file.path]: changed })}
                    />
                  )}
                </li>
              ))}
            </ul>
            {files.length > shownFiles && <p className="faint">{texts.upload.more(files.length - shownFiles)}</p>}
          </section>
        )}
        {isRunning && (
          <progress
            className="bar"
            max={Math.max(1, upload.totalBytes)}
            value={upload.sentBytes}
            aria-label={texts.upload.sending}
          />
        )}
        <ActionFailure error={upload.error} />
        <div className="form-actions">
          <Button
            type="submit"
            className="button primary"
            isDisabled={files.length === 0 || !isNameValid || isRunning}
            data-testid="upload-start"
          >
            {upload.error === null ? texts.upload.start : texts.upload.resume}
          </Button>
          {isRunning && (
            <Button className="button" onPress={upload.stop}>
              {texts.upload.stop}
            </Button>
          )}
        </div>
      </form>
      {upload.jobIds.map((jobId) => (
        <JobProgress key={jobId} jobId={jobId} />
      ))}
    </>
  );
}
