import { useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { inBatches } from './batches.ts';
import type { ChosenFile } from './dropped-files.ts';
import { sendUpload, type UploadFile, uploadBody } from './upload-request.ts';

/** What the user has said about a table. */
export interface FileOptions {
  /** Encoding of its text; empty: the server finds out. */
  encoding: string;
  /** What columns mean, by name. */
  columns: Record<string, string>;
}

/** What to upload. */
export interface UploadOrder {
  corpus: string;
  /** Who may see the documents; empty: everyone. */
  groups: string[];
  files: readonly ChosenFile[];
  options: Readonly<Record<string, FileOptions>>;
}

/** Sends files in bounded uploads. After a failure, `start` continues with those that were not accepted. */
export function useUpload(apiKey: string) {
  const [state, setState] = useState<'idle' | 'running' | 'done'>('idle');
  const [sentBytes, setSentBytes] = useState(0);
  const [totalBytes, setTotalBytes] = useState(0);
  const [jobIds, setJobIds] = useState<string[]>([]);
  const [error, setError] = useState<Error | null>(null);
  const accepted = useRef(new Set<File>());
  const controller = useRef<AbortController>(undefined);
  const queries = useQueryClient();

  const start = async ({ corpus, groups, files, options }: UploadOrder) => {
    const open = files.filter(({ content }) => !accepted.current.has(content as File));
    const batches = inBatches(open.map((file) => ({ ...file, upload: toUpload(file, options[file.path]) })));
    controller.current = new AbortController();
    const { signal } = controller.current;
    setState('running');
    setError(null);
    setSentBytes(0);
    setTotalBytes(open.reduce((sum, { content }) => sum + content.size, 0));
    const url = new URL('ragmesh.indexer.v1.IndexerService/IngestDocuments', new URL('.', document.baseURI)).href;
    let doneBytes = 0;
    try {
      for (const batch of batches) {
        const body = uploadBody(
          { corpus, defaultAccess: { $typeName: 'ragmesh.common.v1.AccessList', groups } },
          batch.map(({ upload }) => upload),
        );
        const before = doneBytes;
        const onProgress = (sent: number) => setSentBytes(before + Math.min(sent, body.size));
        const jobId = await sendUpload(url, apiKey, body, { onProgress, signal });
        for (const { content } of batch) {
          accepted.current.add(content as File);
          doneBytes += content.size;
        }
        setJobIds((ids) => [...ids, jobId]);
      }
      setState('done');
      await queries.invalidateQueries();
    } catch (thrown) {
      setError(thrown as Error);
      setState('idle');
    }
  };
  return { state, sentBytes, totalBytes, jobIds, error, start, stop: () => controller.current?.abort() };
}

function toUpload({ path, content }: ChosenFile, options: FileOptions | undefined): UploadFile {
  const encoding = options?.encoding ?? '';
  const type = /\.tsv$/i.test(path) ? 'text/tab-separated-values' : 'text/csv';
  return {
    header: {
      path,
      mediaType: encoding === '' ? '' : `${type}; charset=${encoding}`,
      columns: options?.columns ?? {},
      password: '',
    },
    content,
  };
}
