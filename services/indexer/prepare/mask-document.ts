import { maskFindings } from '#kit/personal-data/mask.ts';
import { finderOf, type PersonalDataPolicy, sealerOf } from '#kit/personal-data/policy.ts';
import type { ParsedDocument } from '../parse/parser.ts';

/** What decides whether a document is published. */
type Readers = Pick<ParsedDocument, 'attributes' | 'groups'>;

/** What a document for everyone says of the organization is published. */
const isPublic = ({ attributes, groups = [] }: Readers): boolean =>
  attributes.access?.toLowerCase() === 'public' && groups.length === 0;

/** Returns a text that a person has written for a document, with its personal data masked as that of the document is. */
export function maskText(text: string, document: Readers, policy: PersonalDataPolicy | undefined): string {
  return policy === undefined || isPublic(document) ? text : masker(policy)(text).text;
}

function masker(policy: PersonalDataPolicy) {
  const find = finderOf(policy);
  const sealer = policy.mode === 'reversible' ? sealerOf(policy) : undefined;
  return (text: string) =>
    maskFindings(text, find(text), ({ kind }, value) => sealer?.seal(kind, value) ?? `[${kind}]`);
}

/** Returns a document with its personal data masked: title, text and headings. One with `access: public` and no groups stays as it is. */
export function maskDocument(parsed: ParsedDocument, policy: PersonalDataPolicy | undefined): ParsedDocument {
  if (policy === undefined || isPublic(parsed)) return parsed;
  const mask = masker(policy);
  const { text, placeOf } = mask(parsed.text);
  return {
    ...parsed,
    title: mask(parsed.title).text,
    text,
    blocks: parsed.blocks.map((block) => ({
      ...block,
      start: placeOf(block.start),
      end: placeOf(block.end),
      ...(block.heading !== undefined && { heading: mask(block.heading).text }),
    })),
  };
}
