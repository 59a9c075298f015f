import { type Masked, maskFindings } from '#kit/personal-data/mask.ts';
import { finderOf, type PersonalDataPolicy, sealerOf } from '#kit/personal-data/policy.ts';
import { findSealed } from '#kit/personal-data/seal.ts';
import type { ParsedDocument } from '../parse/parser.ts';

/** What decides whether a document is published. */
type Readers = Pick<ParsedDocument, 'attributes' | 'groups'>;

/** What a document for everyone says of the organization is published. */
const isPublic = ({ attributes, groups = [] }: Readers): boolean =>
  attributes.access?.toLowerCase() === 'public' && groups.length === 0;

/**
 * Returns a text that a person has written for a document, with its personal data masked as that of the document is. Sealed masks that the
 * document has stay.
 */
export function maskText(
  text: string,
  document: Readers & { text: string },
  policy: PersonalDataPolicy | undefined,
): string {
  return masker(policy, document, document.text)(text).text;
}

/** Returns what masks a text of a document. `known`: a text with the sealed masks that are its own. */
function masker(policy: PersonalDataPolicy | undefined, document: Readers, known: string): (text: string) => Masked {
  if (policy === undefined) return (text) => ({ text, placeOf: (offset) => offset });
  const find = isPublic(document) ? () => [] : finderOf(policy);
  const sealer = policy.mode === 'reversible' ? sealerOf(policy) : undefined;
  return (text) => {
    const own = withoutForeign(text, known);
    const masked = maskFindings(
      own.text,
      find(own.text),
      ({ kind }, value) => sealer?.seal(kind, value) ?? `[${kind}]`,
    );
    return { text: masked.text, placeOf: (offset) => masked.placeOf(own.placeOf(offset)) };
  };
}

/** A sealed mask that was copied from another corpus would be opened for the readers of this one. */
function withoutForeign(text: string, known: string): Masked {
  const foreign = findSealed(text).filter(({ start, end }) => !known.includes(text.slice(start, end)));
  return maskFindings(text, foreign, ({ kind }) => `[${kind}]`);
}

/**
 * Returns a document with its personal data masked: title, text and headings. Of one with `access: public` and no groups, only sealed masks
 * are.
 */
export function maskDocument(parsed: ParsedDocument, policy: PersonalDataPolicy | undefined): ParsedDocument {
  if (policy === undefined) return parsed;
  const mask = masker(policy, parsed, '');
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
