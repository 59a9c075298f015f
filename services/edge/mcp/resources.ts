import type { McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { toRpcError } from '#kit/base/errors.ts';
import { applyReadMasks } from '#kit/personal-data/apply-read-masks.ts';
import type { McpCall } from './call.ts';
import { parseMcpId, toResourceUri } from './document-id.ts';

/** Documents that a list of resources has; the tool list_documents has them all. */
const maxListed = 200;
/** Corpora whose documents are listed. */
const maxCorpora = 10;
/** Longest text of a resource, in UTF-16 code units; fetch reads the rest. */
const maxTextLength = 1 << 20;

/** Registers the documents that the caller may see as resources. `Template`: the class of the SDK, which is loaded late. */
export function registerResources(server: McpServer, Template: typeof ResourceTemplate, call: McpCall): void {
  const { indexer, retrieval } = call.clients;
  const list = async (signal: AbortSignal) => {
    const options = call.as(signal);
    const { corpora } = await retrieval.listCorpora({}, options);
    const resources = [];
    for (const { name } of corpora.filter(({ documentCount }) => documentCount > 0n).slice(0, maxCorpora)) {
      const left = maxListed - resources.length;
      if (left <= 0) break;
      const { documents } = await indexer.listDocuments({ corpus: name, pageSize: left }, options);
      for (const document of documents) {
        const title = document.title || document.documentId;
        resources.push({ uri: toResourceUri(document), name: title, title, mimeType: 'text/plain' });
      }
    }
    return { resources };
  };
  const template = new Template('ragmesh://documents/{corpus}/{document}', {
    list: ({ mcpReq: { signal } }) => shown(call, () => list(signal)),
  });
  const about = { title: 'Documents', description: 'The text of a document', mimeType: 'text/plain' };
  server.registerResource('documents', template, about, (uri, _, { mcpReq: { signal } }) =>
    shown(call, async () => {
      const { text: stored, masks } = await indexer.getDocument(parseMcpId(uri.href), call.as(signal));
      const text = applyReadMasks(stored, masks);
      return { contents: [{ uri: uri.href, mimeType: 'text/plain', text: text.slice(0, maxTextLength) }] };
    }),
  );
}

/** Runs `work`. An error has a message for the client and nothing else. */
async function shown<T>(call: McpCall, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    call.failed('resources', error);
    throw new Error(toRpcError(error).rawMessage);
  }
}
