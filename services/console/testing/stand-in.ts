import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import {
  type AskRequest,
  AskResponseSchema,
  ChatService,
  type SubmitFeedbackRequest,
  type Turn,
  TurnSchema,
} from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CitationSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { notFound, rpcError } from '#kit/base/errors.ts';
import { type AnswerEventInit, returnsSources } from './answers.ts';
import { documents } from './documents.ts';

/** The content policy of the edge: what breaks it fails in the browser test as it would there. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const mediaTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** API keys that the server accepts. */
export const keys = { staff: 'rm_staff', customer: 'rm_customer' } as const;

/** Answers a question; may wait, and may throw. */
export type Answerer = (
  request: AskRequest,
  signal: AbortSignal,
) => AsyncIterable<AnswerEventInit> | Iterable<AnswerEventInit>;

/** A small server with the services that the page uses. The test sets its answers. */
export interface StandIn {
  url: string;
  /** Questions so far. */
  questions: AskRequest[];
  feedback: SubmitFeedbackRequest[];
  /** Keys of the questions, in their order. */
  callers: string[];
  /** How the next questions are answered. */
  answer: Answerer;
  /** Whether it returns its keys, as a development server does. */
  development: boolean;
  /** Whether calls end as at a proxy with a rate limit: with a plain HTTP 429. */
  isLimited: boolean;
  /** The image of every page, a PNG; `undefined`: documents have no pages to show. */
  pageImage: Uint8Array | undefined;
  /** Keys that are no longer accepted. */
  revoked: Set<string>;
  close(): Promise<void>;
}

/** Starts the server on a free port; it serves the built page in `dist`. */
export async function startStandIn(dist: string): Promise<StandIn> {
  const sessions = new Map<string, { owner: string; title: string; turns: Turn[]; updatedAt: Date }>();
  const standIn: StandIn = {
    url: '',
    questions: [],
    feedback: [],
    callers: [],
    answer: () => [],
    development: true,
    isLimited: false,
    pageImage: undefined,
    revoked: new Set(),
    close,
  };

  /** Returns the key of a caller. Throws for an unknown one. */
  const callerOf = (context: HandlerContext): string => {
    const key = context.requestHeader.get('authorization')?.replace(/^Bearer /, '') ?? '';
    if ((key === keys.staff || key === keys.customer) && !standIn.revoked.has(key)) return key;
    throw rpcError(Code.Unauthenticated, ErrorReason.CREDENTIALS_INVALID, 'the API key is not known');
  };

  const routes = (router: ConnectRouter) => {
    router.service(ChatService, {
      async *ask(request, context) {
        const owner = callerOf(context);
        standIn.questions.push(request);
        standIn.callers.push(owner);
        if (!request.createSession)
          throw rpcError(Code.InvalidArgument, ErrorReason.FIELD_INVALID, 'no session is asked for');
        const sessionId = request.sessionId || `s${sessions.size + 1}`;
        const session = sessions.get(sessionId) ?? { owner, title: request.question, turns: [], updatedAt: new Date() };
        sessions.set(sessionId, session);
        const answerId = `a${standIn.questions.length}`;
        const standaloneQuestion =
          session.turns.length === 0 ? request.question : `${session.title} ${request.question}`;
        const reply = (event: AnswerEventInit) => create(AskResponseSchema, { event });
        yield reply({ case: 'started', value: { answerId, sessionId, standaloneQuestion } });
        const turn = create(TurnSchema, { question: request.question, answerId, citations: [] });
        for await (const event of standIn.answer(request, context.signal)) {
          if (event.case === 'textDelta') turn.answer += event.value?.text ?? '';
          if (event.case === 'citation')
            turn.citations.push(create(CitationSchema, event.value as MessageInitShape<typeof CitationSchema>));
          if (event.case === 'done') session.turns.push(turn);
          yield reply(event);
        }
      },
      listSessions(_, context) {
        const owner = callerOf(context);
        const own = [...sessions]
          .filter(([, session]) => session.owner === owner && session.turns.length > 0)
          .reverse();
        return {
          sessions: own.map(([sessionId, { title, turns, updatedAt }]) => ({
            sessionId,
            title,
            turnCount: turns.length,
            updatedAt: timestampFromDate(updatedAt),
          })),
        };
      },
      getSession({ sessionId }, context) {
        const session = sessions.get(sessionId);
        if (session === undefined || session.owner !== callerOf(context)) throw notFound('session', sessionId);
        return { session: { sessionId, title: session.title }, turns: session.turns };
      },
      deleteSession({ sessionId }) {
        sessions.delete(sessionId);
        return {};
      },
      submitFeedback(request) {
        standIn.feedback.push(request);
        return {};
      },
    });
    router.service(IndexerService, {
      getDocument({ documentId }, context) {
        const found = visible(callerOf(context)).find(({ document }) => document.documentId === documentId);
        if (found === undefined) throw notFound('document', documentId, ErrorReason.DOCUMENT_NOT_FOUND);
        return { document: found.document, text: found.text, hasPages: standIn.pageImage !== undefined };
      },
      renderPage() {
        if (standIn.pageImage === undefined) throw notFound('original', 'any');
        const size = { widthPixels: 1, heightPixels: 1, pageWidth: 595, pageHeight: 842, pageCount: 3 };
        return { image: standIn.pageImage, ...size };
      },
      listDocuments: (_, context) => ({ documents: visible(callerOf(context)).map(({ document }) => document) }),
    });
    router.service(RetrievalService, {
      listCorpora: (_, context) => ({
        corpora: [{ name: 'help', liveVersion: 3n, documentCount: BigInt(visible(callerOf(context)).length) }],
      }),
      getPassages: ({ chunkIds }) => ({ passages: returnsSources.filter(({ chunkId }) => chunkIds.includes(chunkId)) }),
    });
    router.service(LLMGatewayService, {
      listModels: () => ({ models: [{ name: 'extractive', provider: 'extractive', generative: false }] }),
    });
  };

  const rpcs = connectNodeAdapter({ routes });
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://stand-in').pathname;
    if (standIn.isLimited && path.endsWith('/Ask')) serveLimit(response);
    else if (path.startsWith('/ragmesh.')) rpcs(request, response);
    else if (path === '/console/session') serveSession(standIn.development, response);
    else void serveFile(dist, path, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  standIn.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return standIn;

  async function close() {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function visible(caller: string) {
  return documents.filter(({ open }) => open || caller === keys.staff);
}

function serveLimit(response: ServerResponse) {
  response.writeHead(429, { 'content-type': 'text/plain', 'retry-after': '30' }).end('local_rate_limited');
}

function serveSession(development: boolean, response: ServerResponse) {
  response.setHeader('content-type', 'application/json');
  if (!development) response.writeHead(404).end('{}');
  else response.end(JSON.stringify({ key: keys.staff, customer_key: keys.customer }));
}

async function serveFile(dist: string, path: string, response: ServerResponse) {
  const file = join(dist, normalize(path === '/' ? '/index.html' : path));
  try {
    const content = await readFile(file);
    response.setHeader('content-type', mediaTypes[extname(file)] ?? 'application/octet-stream');
    response.setHeader('content-security-policy', contentPolicy);
    response.end(content);
  } catch {
    response.writeHead(404).end(); // no such file
  }
}
