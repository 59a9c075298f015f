import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { type AnswerDone, AnswerOutcomeSchema, type Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { internal, tooLarge } from '#kit/base/errors.ts';
import { applyReadMasks } from '#kit/personal-data/apply-read-masks.ts';
import { shortOf } from '#kit/personal-data/seal.ts';
import { finishReason } from '../openai/answers/completion.ts';
import { languagesByWord } from '../sse/answer-json.ts';
import { type McpCall, run } from './call.ts';
import { parseMcpId, toMcpId } from './document-id.ts';

// What every reader may do: search, fetch, ask.

/** Characters of a document that one call of `fetch` returns, in UTF-16 code units. */
const fetchedLength = 50_000;
/** Longest answer that is held, in UTF-16 code units. */
const maxAnswerLength = 1 << 20;

const corpora = z
  .array(z.string().min(1).max(64))
  .max(32)
  .optional()
  .describe('Corpora to search. Left out: all that the caller may see');
const id = z.string().describe('Id of the document, for fetch');
const title = z.string();
const url = z.string().describe('Address at which a person can read the document; empty if there is none');

const readOnly = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

/** Registers the tools of readers. */
export function registerSearchTools(server: McpServer, call: McpCall): void {
  server.registerTool(
    'search',
    {
      title: 'Search documents',
      description:
        "Searches the company's documents and returns the passages that match best, by document. Use it to find facts with their sources; use fetch for the whole text of a document.",
      inputSchema: z.object({
        query: z.string().min(1).max(4096).describe('A question or keywords, in any language'),
        corpora,
        limit: z.int().min(1).max(50).default(10).describe('Most passages to find'),
      }),
      outputSchema: z.object({
        results: z.array(z.object({ id, title, url, text: z.string().describe('The passages that match') })),
      }),
      annotations: { title: 'Search documents', ...readOnly },
    },
    ({ query, corpora: chosen, limit }, { mcpReq: { signal } }) =>
      run(call, 'search', async () => {
        const release = await call.begin();
        try {
          const request = { query, topK: limit, corpora: chosen ?? [] };
          for await (const { event } of call.clients.retrieval.retrieve(request, call.as(signal))) {
            if (event.case === 'fused') return { results: byDocument(event.value.passages) };
          }
          throw internal(new Error('the search ended without its result'));
        } finally {
          release();
        }
      }),
  );

  server.registerTool(
    'fetch',
    {
      title: 'Fetch a document',
      description: 'Returns the text of a document by its id from search, list_documents or a citation of ask.',
      inputSchema: z.object({
        id: z.string().min(1).max(2048).describe('Id of the document'),
        offset: z
          .int()
          .min(0)
          .max(1_073_741_824)
          .default(0)
          .describe('First character, for the rest of a long document'),
      }),
      outputSchema: z.object({
        id,
        title,
        url,
        text: z.string(),
        next_offset: z.int().optional().describe('Offset of the rest; absent at the end'),
        metadata: z.record(z.string(), z.string()),
      }),
      annotations: { title: 'Fetch a document', ...readOnly },
    },
    ({ id: named, offset }, { mcpReq: { signal } }) =>
      run(call, 'fetch', async () => {
        const reply = await call.clients.indexer.getDocument(parseMcpId(named), call.as(signal));
        const { document } = reply;
        const text = applyReadMasks(reply.text, reply.masks);
        if (document === undefined) throw internal(new Error('a document came without its head'));
        const end = offset + fetchedLength;
        return {
          id: toMcpId(document),
          title: document.title || document.documentId,
          url: document.url,
          text: text.slice(offset, end),
          ...(end < text.length ? { next_offset: end } : {}),
          metadata: { corpus: document.corpus, ...document.attributes },
        };
      }),
  );

  server.registerTool(
    'ask',
    {
      title: 'Ask the documents',
      description:
        "Answers a question from the company's documents, with markers [1] for its sources, or says that they do not answer it.",
      inputSchema: z.object({
        question: z.string().min(1).max(4096).describe('The question, understandable without the conversation'),
        corpora,
        language: z.enum(['zh', 'en']).optional().describe('Language of the answer. Left out: that of the question'),
      }),
      outputSchema: z.object({
        answer: z.string(),
        outcome: z.string().describe('"answered", "refused" if the documents do not answer, or another end'),
        verified: z.boolean().describe('Whether every sentence was found in the passages that it cites'),
        citations: z.array(z.object({ marker: z.int(), id, title, url })),
      }),
      annotations: { title: 'Ask the documents', ...readOnly },
    },
    ({ question, corpora: chosen, language }, { mcpReq: { signal } }) =>
      run(call, 'ask', async () => {
        const release = await call.begin();
        try {
          return await answer(call, { question, corpora: chosen ?? [], language }, signal);
        } finally {
          release();
        }
      }),
  );
}

/** Returns one result for each document, in the order of its best passage. */
function byDocument(passages: readonly Passage[]) {
  const found = new Map<string, { id: string; title: string; url: string; text: string }>();
  for (const passage of passages) {
    const key = toMcpId(passage);
    const known = found.get(key);
    const text = shortOf(passage.text);
    if (known !== undefined) known.text += `\n…\n${text}`;
    else {
      const { title: heading, documentId, url: address } = passage;
      found.set(key, { id: key, title: heading || documentId, url: address, text });
    }
  }
  return [...found.values()];
}

interface Question {
  question: string;
  corpora: string[];
  language: keyof typeof languagesByWord | undefined;
}

async function answer({ clients, as }: McpCall, { language, ...asked }: Question, signal: AbortSignal) {
  const request = { ...asked, ...(language && { language: languagesByWord[language] }) };
  let text = '';
  let citations: Citation[] = [];
  let done: AnswerDone | undefined;
  for await (const { event } of clients.chat.ask(request, as(signal))) {
    if (event.case === 'textDelta') text += event.value.text;
    else if (event.case === 'citation') citations.push(event.value);
    else if (event.case === 'done') done = event.value;
    else if (event.case === 'reset') {
      text = '';
      citations = [];
    }
    if (text.length > maxAnswerLength) throw tooLarge('the answer', maxAnswerLength);
  }
  // Throws if the answer is incomplete.
  finishReason(done);
  return {
    answer: text,
    outcome: done === undefined ? '' : enumName(AnswerOutcomeSchema, done.outcome).toLowerCase(),
    verified: done?.verified ?? false,
    citations: citations.map((citation) => ({
      marker: citation.marker,
      id: toMcpId(citation),
      title: citation.title || citation.documentId,
      url: citation.url,
    })),
  };
}
