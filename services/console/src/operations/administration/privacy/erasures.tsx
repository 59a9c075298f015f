import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { type Erasure, PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { formatCount, formatTime } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Badge } from '../../ui/badge.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Field } from '../../ui/field.tsx';
import { PlainTable } from '../../ui/plain-table.tsx';
import { Reply } from '../../ui/reply.tsx';

/** An erasure runs over all stores. */
const timeoutMs = 600_000;

/** Erasures of users and documents, with their receipts. */
export function Erasures({ client }: { client: Client<typeof PrivacyService> }) {
  const { administration, more } = useOperationTexts();
  const texts = administration.privacy;
  const queries = useQueryClient();
  const [user, setUser] = useState('');
  const [corpus, setCorpus] = useState('');
  const [documentId, setDocumentId] = useState('');
  const erasures = useInfiniteQuery(
    PrivacyService.method.listErasures,
    { pageSize: 50, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  return (
    <section aria-label={texts.erasures} className="stack-small">
      <div className="page-head">
        <h3 className="sub-head">{texts.erasures}</h3>
        <div className="page-actions">
          <Confirm
            label={texts.eraseUser}
            title={texts.eraseUserTitle}
            action={texts.eraseUser}
            isDanger
            onConfirm={async () => {
              await client.eraseUser({ user }, { timeoutMs });
              await queries.invalidateQueries();
              setUser('');
            }}
            testId="erase-user"
          >
            <p>{texts.eraseUserText}</p>
            <Field label={texts.user} value={user} onChange={setUser} isRequired testId="erase-user-name" />
          </Confirm>
          <Confirm
            label={texts.eraseDocument}
            title={texts.eraseDocumentTitle}
            action={texts.eraseDocument}
            isDanger
            onConfirm={async () => {
              await client.eraseDocument({ corpus, documentId }, { timeoutMs });
              await queries.invalidateQueries();
              setDocumentId('');
            }}
            testId="erase-document"
          >
            <p>{texts.eraseDocumentText}</p>
            <Field label={texts.corpus} value={corpus} onChange={setCorpus} isRequired testId="erase-corpus" />
            <Field label={texts.documentId} value={documentId} onChange={setDocumentId} isRequired testId="erase-id" />
          </Confirm>
        </div>
      </div>
      <Reply query={erasures}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.erasures);
          if (all.length === 0) return <p className="faint">{texts.noErasures}</p>;
          return (
            <>
              <PlainTable columns={[texts.receipt, texts.by, texts.at, texts.finished, texts.found]} testId="erasures">
                {all.map((erasure) => (
                  <Receipt key={erasure.erasureId} erasure={erasure} />
                ))}
              </PlainTable>
              {erasures.hasNextPage && (
                <Button className="button" onPress={() => erasures.fetchNextPage()}>
                  {more}
                </Button>
              )}
            </>
          );
        }}
      </Reply>
    </section>
  );
}

function Receipt({ erasure }: { erasure: Erasure }) {
  const texts = useOperationTexts().administration.privacy;
  const { tag } = useMessages();
  const found = erasure.stores.filter(({ foundCount }) => foundCount > 0n);
  const time = (at: Parameters<typeof timestampDate>[0] | undefined) => at && formatTime(timestampDate(at), tag);
  return (
    <tr>
      <th scope="row">
        <code>{erasure.erasureId}</code>
      </th>
      <td>{erasure.requestedBy}</td>
      <td>{time(erasure.requestedAt)}</td>
      <td>{time(erasure.finishedAt) ?? <Badge tone="busy">{texts.runs}</Badge>}</td>
      <td>
        {found.length === 0
          ? texts.nothingFound
          : found.map(({ store, foundCount, leftCount }) => (
              <div key={store}>
                {store}: {texts.foundCounts(formatCount(foundCount, tag), formatCount(leftCount, tag))}
              </div>
            ))}
      </td>
    </tr>
  );
}
