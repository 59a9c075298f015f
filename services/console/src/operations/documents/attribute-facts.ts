import type { Document } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { OperationTexts } from '../i18n/en.ts';

/**
 * Returns the attributes of a document as names and values: those that ragmesh knows by their names in the language of the page, the
 * others by their own. Leaves out what repeats the id and the address.
 */
export function attributeFacts(document: Document, texts: OperationTexts, tag: string): (readonly [string, string])[] {
  const { documentId, url, attributes } = document;
  const { columns } = texts.documents;
  const names: Record<string, string> = { owner: columns.owner, review_at: columns.review, lang: texts.document.lang };
  return Object.entries(attributes)
    .filter(([name, value]) => !(name === 'id' && value === documentId) && !(name === 'url' && value === url))
    .map(([name, value]) => [
      Object.hasOwn(names, name) ? (names[name] ?? name) : name,
      name === 'lang' ? languageName(value, tag) : value,
    ]);
}

function languageName(code: string, tag: string): string {
  try {
    return new Intl.DisplayNames(tag, { type: 'language' }).of(code) ?? code;
  } catch {
    return code; // not the code of a language
  }
}
