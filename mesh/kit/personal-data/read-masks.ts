import type { ReadMask } from './apply-read-masks.ts';
import { type PersonalDataPolicy, sealerOf } from './policy.ts';
import { findSealed, shortOf } from './seal.ts';

/**
 * Returns the sealed masks of a text of a corpus as a member of `groups` may read them: the original for reader groups of the corpus's
 * policy, otherwise the short form.
 */
export function readMasks(text: string, policy: PersonalDataPolicy | undefined, groups: readonly string[]): ReadMask[] {
  const isReader = policy?.mode === 'reversible' && groups.some((group) => policy.readerGroups.includes(group));
  const sealer = isReader ? sealerOf(policy) : undefined;
  return findSealed(text).map(({ start, end }) => {
    const sealed = text.slice(start, end);
    return { startOffset: start, endOffset: end, text: sealer?.open(sealed) ?? shortOf(sealed) };
  });
}
