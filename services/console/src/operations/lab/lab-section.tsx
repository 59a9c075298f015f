import { useMutation } from '@connectrpc/connect-query';
import { useEffect, useMemo } from 'react';
import { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { labQueryOf, linkToLab, toSearch } from '../../state/lab-query.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { ActionFailure } from '../ui/reply.tsx';
import { Candidates } from './candidates.tsx';
import { LabForm } from './lab-form.tsx';
import { Why } from './why.tsx';

/** `/lab/<search>`: a search with every stage side by side, and why a document is or is not in its result. */
export function LabSection({ parts, roles }: SectionProps) {
  const texts = useOperationTexts();
  const address = parts[0] ?? '';
  const query = useMemo(() => labQueryOf(address), [address]);
  const request = useMemo(() => {
    const { user, groups, reason } = query;
    return { search: toSearch(query), ...(user !== '' && { viewAs: { user, groups: [...groups], reason } }) };
  }, [query]);
  // Not a cached query: each look as another principal has an entry of the audit, so none runs by itself.
  const { mutate, data, error, isPending, reset } = useMutation(SearchLabService.method.runSearch);
  const searchKey = linkToLab({ ...query, corpus: '', documentId: '' });
  useEffect(() => {
    reset();
    if (query.question.trim() !== '') mutate(request);
  }, [searchKey]);
  const go = (change: Partial<typeof query>) => {
    const to = linkToLab({ ...query, ...change });
    if (to === window.location.hash) mutate(request);
    else window.location.hash = to;
  };
  return (
    <>
      <PageHead title={texts.lab.title} />
      <LabForm key={searchKey} query={query} isRunning={isPending} onRun={go} />
      <ActionFailure error={error} />
      {isPending && (
        <p className="waiting" role="status">
          {texts.loading}
        </p>
      )}
      {query.question === '' && <Empty title={texts.lab.none} text={texts.lab.noneText} />}
      {data !== undefined && (
        <Why key={`${searchKey} ${query.corpus} ${query.documentId}`} query={query} roles={roles} onChange={go} />
      )}
      {data !== undefined && (
        <Candidates found={data} user={query.user} onWhy={(corpus, documentId) => go({ corpus, documentId })} />
      )}
    </>
  );
}
