import type { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { invalidArgument, notFound } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import type { FindCurated } from './curated.ts';

const defaultPageSize = 50;

/** Creates the rpcs with which operators maintain curated answers. */
export function createCuratedRpcs({
  sessions,
  newId,
  findCurated,
}: {
  sessions: Sessions;
  newId: () => string;
  findCurated: FindCurated;
}): ServiceHandlers<typeof CuratedAnswerService> {
  return {
    async putCuratedAnswer({ id, ...given }, { principal }) {
      return { answer: await sessions.putCurated(principal, id || newId(), given) };
    },
    async deleteCuratedAnswer({ id }, { principal }) {
      if (!(await sessions.removeCurated(principal, id))) throw notFound('curated answer', id);
      return {};
    },
    async listCuratedAnswers({ corpus, pageSize, pageToken, question }, context) {
      const { principal } = context;
      const after = fromToken(pageToken);
      const snapshot = await sessions.curatedSince(principal.tenant, -1);
      const ofCorpus = (snapshot?.answers ?? []).filter((answer) => corpus === '' || answer.corpus === corpus);
      const given =
        question === ''
          ? undefined
          : await findCurated(question, [...new Set(ofCorpus.map(({ corpus: name }) => name))].map(toNamed), context);
      const answers = ofCorpus.filter(({ id }) => id > after && (question === '' || id === given?.id));
      const page = answers.slice(0, pageSize || defaultPageSize);
      const isMore = answers.length > page.length;
      return { answers: page, nextPageToken: isMore ? Buffer.from(page.at(-1)?.id ?? '').toString('base64url') : '' };
    },
    async listCuratedVersions({ id }, { principal }) {
      const versions = await sessions.curatedVersions(principal.tenant, id);
      if (versions.length === 0) throw notFound('curated answer', id);
      return { versions };
    },
  };
}

const toNamed = (name: string) => ({ name });

function fromToken(token: string): string {
  const id = Buffer.from(token, 'base64url').toString();
  if (/^[A-Za-z0-9_.-]*$/.test(id)) return id;
  throw invalidArgument('page_token is not from this list: start again without one');
}
