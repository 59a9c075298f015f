import { useQuery } from '@connectrpc/connect-query';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { SectionProps } from '../section.ts';
import { Reply } from '../ui/reply.tsx';
import { DocumentList } from './document-list.tsx';
import { DocumentPage } from './document-page.tsx';
import { UploadPage } from './upload/upload-page.tsx';

/** `/documents/<corpus>`, `/documents/<corpus>/document/<id>`, `/documents/<corpus>/upload`. */
export function DocumentsSection({ apiKey, parts, roles }: SectionProps) {
  const [corpus, page, documentId] = parts;
  const corpora = useQuery(RetrievalService.method.listCorpora);
  if (corpus !== undefined && page === 'document' && documentId !== undefined) {
    return <DocumentPage key={documentId} corpus={corpus} documentId={documentId} roles={roles} />;
  }
  return (
    <Reply query={corpora}>
      {({ corpora: all }) => {
        const names = all.map(({ name }) => name);
        if (page === 'upload' || (corpus === undefined && names.length === 0)) {
          return <UploadPage corpora={names} corpus={corpus ?? ''} apiKey={apiKey} />;
        }
        return <DocumentList key={corpus ?? names[0]} corpora={all} corpus={corpus ?? names[0] ?? ''} roles={roles} />;
      }}
    </Reply>
  );
}
