import { maskFindings } from '#kit/personal-data/mask.ts';
import { finderOf, type PersonalDataPolicy, sealerOf } from '#kit/personal-data/policy.ts';
import type { ParsedDocument } from '../parse/parser.ts';

/** Documents that everyone may read: what they say of the organization is published. */
const isPublic = ({ attributes }: ParsedDocument): boolean => attributes.access?.toLowerCase() === 'public';

/** Returns a document with its personal data masked: title, text and headings. One with `access: public` stays as it is. */
export function maskDocument(parsed: ParsedDocument, policy: PersonalDataPolicy | undefined): ParsedDocument {
  if (policy === undefined || isPublic(parsed)) return parsed;
  const find = finderOf(policy);
  const sealer = policy.mode === 'reversible' ? sealerOf(policy) : undefined;
  const mask = (text: string) =>
    maskFindings(text, find(text), ({ kind }, value) => sealer?.seal(kind, value) ?? `[${kind}]`);
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
