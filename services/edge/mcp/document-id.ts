import { invalidArgument } from '#kit/base/errors.ts';

/** A document of a corpus. */
export interface DocumentName {
  corpus: string;
  documentId: string;
}

const uriPrefix = 'ragmesh://documents/';

/** Returns the id under which clients of MCP know a document: "<corpus>/<id>". A corpus has no slash in its name. */
export function toMcpId({ corpus, documentId }: DocumentName): string {
  return `${corpus}/${documentId}`;
}

/** Returns the address of a document as a resource. */
export function toResourceUri({ corpus, documentId }: DocumentName): string {
  return `${uriPrefix}${encodeURIComponent(corpus)}/${encodeURIComponent(documentId)}`;
}

/** Returns the document of an id or of the address of a resource. Throws INVALID_ARGUMENT. */
export function parseMcpId(id: string): DocumentName {
  const isUri = id.startsWith(uriPrefix);
  const path = isUri ? id.slice(uriPrefix.length) : id;
  const slash = path.indexOf('/');
  const parts = slash < 1 ? [] : [path.slice(0, slash), path.slice(slash + 1)];
  const [corpus = '', documentId = ''] = isUri ? parts.map(decode) : parts;
  if (corpus !== '' && documentId !== '') return { corpus, documentId };
  throw invalidArgument('the id names no document: take it from a result of search, "<corpus>/<document>"');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
