import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { type CuratedAnswer, CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { formatTime } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Badge } from '../../ui/badge.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Empty } from '../../ui/empty.tsx';
import { PageHead } from '../../ui/page-head.tsx';
import { PlainTable } from '../../ui/plain-table.tsx';
import { Reply } from '../../ui/reply.tsx';
import { CuratedForm } from './curated-form.tsx';

/** A curated answer: its text, its end, and who changed what. */
export function CuratedPage({ id }: { id: string }) {
  const texts = useOperationTexts().curated;
  const versions = useQuery(CuratedAnswerService.method.listCuratedVersions, { id });
  return (
    <Reply query={versions}>
      {(reply) => {
        const [latest] = reply.versions;
        if (latest === undefined) return <Empty title={texts.gone} text={texts.goneText} />;
        return <Whole latest={latest} versions={reply.versions} />;
      }}
    </Reply>
  );
}

function Whole({ latest, versions }: { latest: CuratedAnswer; versions: readonly CuratedAnswer[] }) {
  const { administration, curated: texts } = useOperationTexts();
  const queries = useQueryClient();
  const withdraw = useMutation(CuratedAnswerService.method.deleteCuratedAnswer);
  const { id, deleted } = latest;
  // A version that withdraws an answer has no words.
  const question = versions.find(({ questions }) => questions.length > 0)?.questions[0] ?? id;
  return (
    <div className="stack">
      <PageHead
        title={question}
        back={{ href: linkTo('administration', 'curated'), label: administration.views.curated }}
        badge={<Badge tone={deleted ? 'bad' : 'good'}>{deleted ? texts.withdrawn : texts.given}</Badge>}
      >
        {!deleted && (
          <Confirm
            label={texts.withdraw}
            title={texts.withdrawTitle}
            action={texts.withdraw}
            isDanger
            onConfirm={async () => {
              await withdraw.mutateAsync({ id });
              await queries.invalidateQueries();
            }}
            testId="withdraw-curated"
          >
            <p>{texts.withdrawText}</p>
          </Confirm>
        )}
      </PageHead>
      <CuratedForm key={String(latest.version)} id={id} onPublished={() => void queries.invalidateQueries()} />
      <h3 className="sub-head">{texts.versions}</h3>
      <PlainTable columns={[texts.version, texts.answer, texts.changedBy, texts.changed]} testId="curated-versions">
        {versions.map((version) => (
          <VersionRow key={String(version.version)} version={version} />
        ))}
      </PlainTable>
    </div>
  );
}

function VersionRow({ version }: { version: CuratedAnswer }) {
  const texts = useOperationTexts().curated;
  const { tag } = useMessages();
  return (
    <tr>
      <th scope="row">{String(version.version)}</th>
      <td>{version.deleted ? <span className="faint">{texts.withdrawn}</span> : version.answer}</td>
      <td>{version.changedBy}</td>
      <td>{version.changedAt && formatTime(timestampDate(version.changedAt), tag)}</td>
    </tr>
  );
}
