import { useQuery } from '@connectrpc/connect-query';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { DraftAnswer } from '../../inbox/draft-answer.tsx';
import { Reply } from '../../ui/reply.tsx';

/** Writes a curated answer; an empty id: a new one. */
export function CuratedForm({ id, onPublished }: { id: string; onPublished: (id: string) => void }) {
  const corpora = useQuery(RetrievalService.method.listCorpora);
  return (
    <Reply query={corpora}>
      {(reply) => (
        <DraftAnswer
          draftName={`curated ${id}`}
          questions={[]}
          curatedId={id}
          corpora={reply.corpora.map(({ name }) => name)}
          onPublished={onPublished}
        />
      )}
    </Reply>
  );
}
