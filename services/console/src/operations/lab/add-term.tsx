import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { reasonOf } from '../../state/failure.ts';
import { toList } from '../../state/lab-query.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Field } from '../ui/field.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';

interface AddTermProps {
  /** Words of the question that the document does not have. */
  words: readonly string[];
  question: string;
  onDone: () => void;
}

/** Adds a group of words with the same meaning to the terms of the tenant. Searches use it immediately. */
export function AddTerm({ words, question, onDone }: AddTermProps) {
  const texts = useOperationTexts();
  const terms = useQuery(IndexAdminService.method.getTerms, {}, { staleTime: 0 });
  const [group, setGroup] = useState('');
  const put = useMutation(IndexAdminService.method.putTerms, {
    async onSuccess() {
      await terms.refetch();
      onDone();
    },
    // What another operator has saved meanwhile is read, so that the next try keeps it.
    onError: () => void terms.refetch(),
  });
  const isChanged = put.error !== null && reasonOf(put.error) === 'CHANGED_MEANWHILE';
  const added = toList(group);
  return (
    <Reply query={terms}>
      {({ terms: table, etag }) => (
        <form
          className="lab-term"
          onSubmit={(event) => {
            event.preventDefault();
            const groups = [...(table?.groups ?? []).map((known) => ({ terms: known.terms })), { terms: added }];
            put.mutate({ terms: { groups, protectedTerms: table?.protectedTerms ?? [] }, expectedEtag: etag });
          }}
        >
          <Field
            label={texts.lab.termGroup}
            hint={texts.lab.termHint(words.join(', ') || question)}
            value={group}
            onChange={setGroup}
            testId="term-group"
          />
          <Button
            type="submit"
            className="button primary"
            isDisabled={added.length < 2 || put.isPending}
            data-testid="term-save"
          >
            {texts.lab.addTerm}
          </Button>
          {put.isSuccess && <span role="status">{texts.saved}</span>}
          {isChanged ? (
            <p className="bad-text" role="alert" data-testid="terms-changed">
              {texts.lab.termsChanged}
            </p>
          ) : (
            <ActionFailure error={put.error} />
          )}
        </form>
      )}
    </Reply>
  );
}
