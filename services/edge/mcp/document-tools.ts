import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { type Document, JobStateSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { type McpCall, run } from './call.ts';
import { toMcpId } from './document-id.ts';

// What editors may do: list documents, add them, follow the job that indexes them.

const maxTextLength = 3 << 20;
const pieceBytes = 1 << 20;

/** Registers the tools of editors. */
export function registerDocumentTools(server: McpServer, call: McpCall): void {
  const { indexer, retrieval } = call.clients;
  server.registerTool(
    'list_corpora',
    {
      title: 'List corpora',
      description: 'Lists the corpora of documents, with the number of documents that the caller may see.',
      inputSchema: z.object({}),
      outputSchema: z.object({ corpora: z.array(z.object({ name: z.string(), document_count: z.int() })) }),
      annotations: { title: 'List corpora', readOnlyHint: true, openWorldHint: false },
    },
    (_, { mcpReq: { signal } }) =>
      run(call, 'list_corpora', async () => {
        const { corpora } = await retrieval.listCorpora({}, call.as(signal));
        return {
          corpora: corpora.map(({ name, documentCount }) => ({ name, document_count: Number(documentCount) })),
        };
      }),
  );

  server.registerTool(
    'list_documents',
    {
      title: 'List documents',
      description: 'Lists the documents of a corpus that the caller may see, in order of their ids.',
      inputSchema: z.object({
        corpus: z.string().min(1).max(64),
        search: z.string().max(256).default('').describe('Only documents whose id or title contains this text'),
        page_token: z.string().max(1024).default('').describe('next_page_token of the page before'),
      }),
      outputSchema: z.object({
        documents: z.array(z.object({ id: z.string(), title: z.string(), url: z.string(), length: z.int() })),
        next_page_token: z.string().describe('Empty on the last page'),
      }),
      annotations: { title: 'List documents', readOnlyHint: true, openWorldHint: false },
    },
    ({ corpus, search, page_token: pageToken }, { mcpReq: { signal } }) =>
      run(call, 'list_documents', async () => {
        const page = await indexer.listDocuments({ corpus, search, pageToken, pageSize: 100 }, call.as(signal));
        return { documents: page.documents.map(toListed), next_page_token: page.nextPageToken };
      }),
  );

  server.registerTool(
    'ingest',
    {
      title: 'Add a document',
      description:
        'Adds a document to a corpus, or replaces the one with the same path. Indexing continues after the call: follow it with get_job.',
      inputSchema: z.object({
        corpus: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
        path: z
          .string()
          .min(1)
          .max(512)
          .describe('Name of the file; its ending says what the text is: "returns.md", "faq.html"'),
        text: z.string().min(1).max(maxTextLength),
        groups: z
          .array(z.string().min(1).max(128))
          .max(64)
          .optional()
          .describe('Groups that see the document. Left out: everyone in the tenant'),
      }),
      outputSchema: z.object({ job_id: z.string() }),
      annotations: {
        title: 'Add a document',
        readOnlyHint: false,
        destructiveHint: true,
        idempotentHint: true,
        openWorldHint: false,
      },
    },
    ({ corpus, path, text, groups }, { mcpReq: { signal } }) =>
      run(call, 'ingest', async () => {
        const upload = uploadOf({ corpus, path, text, groups: groups ?? [] });
        const { jobId } = await indexer.ingestDocuments(upload, call.as(signal));
        return { job_id: jobId };
      }),
  );

  server.registerTool(
    'get_job',
    {
      title: 'Follow a job',
      description: 'Says how far the indexing of a document is. Searches find it when the state is "succeeded".',
      inputSchema: z.object({ job_id: z.string().min(1).max(64) }),
      outputSchema: z.object({ job_id: z.string(), state: z.string(), error: z.string() }),
      annotations: { title: 'Follow a job', readOnlyHint: true, openWorldHint: false },
    },
    ({ job_id: jobId }, { mcpReq: { signal } }) =>
      run(call, 'get_job', async () => {
        const { job } = await indexer.getJob({ jobId }, call.as(signal));
        const state = job === undefined ? '' : enumName(JobStateSchema, job.state).toLowerCase();
        return { job_id: jobId, state, error: job?.error ?? '' };
      }),
  );
}

function toListed(document: Document) {
  const { title, documentId, url, length } = document;
  return { id: toMcpId(document), title: title || documentId, url, length };
}

interface Upload {
  corpus: string;
  path: string;
  text: string;
  groups: string[];
}

async function* uploadOf({ corpus, path, text, groups }: Upload) {
  const bytes = new TextEncoder().encode(text);
  yield { part: { case: 'start' as const, value: { corpus } } };
  const file = { path, sizeBytes: BigInt(bytes.length), ...(groups.length > 0 && { access: { groups } }) };
  yield { part: { case: 'file' as const, value: file } };
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    yield { part: { case: 'data' as const, value: bytes.subarray(start, start + pieceBytes) } };
  }
}
