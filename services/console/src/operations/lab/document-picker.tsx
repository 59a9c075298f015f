import { useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { SearchBox } from '../ui/search-box.tsx';

interface DocumentPickerProps {
  corpus: string;
  documentId: string;
  /** Corpora of the search; empty: all. */
  corpora: readonly string[];
  onPick: (picked: { corpus: string; documentId: string }) => void;
}

/** Documents that are offered. */
const offeredCount = 8;

/** Chooses a document by its title or path. An id that no list has can be explained as well. */
export function DocumentPicker({ corpus, documentId, corpora, onPick }: DocumentPickerProps) {
  const texts = useOperationTexts();
  const all = useQuery(RetrievalService.method.listCorpora);
  const names = (all.data?.corpora ?? []).map(({ name }) => name);
  const [chosen, setChosen] = useState(corpus || corpora[0] || '');
  const within = chosen || (names[0] ?? '');
  const [words, setWords] = useState('');
  const found = useQuery(
    IndexerService.method.listDocuments,
    { corpus: within, search: words, pageSize: offeredCount },
    { enabled: words !== '' && within !== '' },
  );
  const offered = words === '' ? [] : (found.data?.documents ?? []);
  const isListed = offered.some((document) => document.documentId === words);
  return (
    <div className="lab-picker">
      <Choice
        label={texts.documents.corpus}
        isLabelHidden
        value={within}
        options={(names.includes(within) ? names : [within, ...names])
          .filter((name) => name !== '')
          .map((name) => ({ value: name, label: name }))}
        onChange={setChosen}
        testId="why-corpus"
      />
      <SearchBox label={texts.lab.pick} onSearch={setWords} testId="why-search" />
      {documentId !== '' && <code data-testid="why-document">{`${corpus}/${documentId}`}</code>}
      {words !== '' && !found.isFetching && (
        <ul className="lab-offers" data-testid="why-offers">
          {offered.map((document) => (
            <li key={document.documentId}>
              <Button
                className="button quiet"
                onPress={() => onPick({ corpus: within, documentId: document.documentId })}
              >
                {document.title || document.documentId}
              </Button>
            </li>
          ))}
          {!isListed && (
            <li>
              <Button className="button quiet" onPress={() => onPick({ corpus: within, documentId: words })}>
                {texts.lab.byId(words)}
              </Button>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}
