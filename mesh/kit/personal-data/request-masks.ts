import type { Finding } from './detectors/detector.ts';
import { toPublished } from './find.ts';
import { maskFindings } from './mask.ts';
import { createMaskStream, type TextStream } from './mask-stream.ts';
import { finderOf, type PersonalDataPolicies, type PersonalDataPolicy, sealerOf } from './policy.ts';
import { createRestoreStream, restoreMasks } from './restore.ts';
import { sealedPattern, shortOf } from './seal.ts';

/** The masks of one request: what was replaced in it, and who may see the originals. */
export interface RequestMasks {
  /** Whether the caller may ever see an original. */
  readonly canRestore: boolean;
  /** Masks what the caller or a tool says. The mask is known in this request. */
  mask(text: string): string;
  /** Masks what a model writes; what `texts` (the passages) have, the caller may read. Its masks have no original. */
  maskAnswers(texts: readonly string[]): TextStream;
  /** Returns a text of the index or of a record with its sealed tokens in the short form. Their originals are known in this request. */
  shorten(text: string): string;
  /** The same for a text of the caller's own session. */
  shortenOwn(text: string): string;
  /** Returns a text with the masks that are known as sealed tokens, as records keep it. */
  seal(text: string): string;
  /** The same with only the masks of what the caller has said, as a session of the caller keeps it. */
  sealOwn(text: string): string;
  /** Returns a text with the originals, for a tool of the caller. */
  restoreForTool(text: string): string;
  /** Returns a text as the caller may see it. */
  restore(text: string): string;
  /** The same for a text that arrives in pieces. */
  restoring(): TextStream;
}

interface Known {
  /** The original; `undefined` if no key opens it. */
  value: string | undefined;
  sealed: string;
  /** Whether the caller or a tool has said it in this request or session. */
  isOwn: boolean;
  /** Whether the caller may see it. */
  isReadable: boolean;
}

/** Creates what returns the masks of a new request; `undefined` if the tenant of its caller masks nothing. */
export function createMasksOf({ ofTenant }: Pick<PersonalDataPolicies, 'ofTenant'>) {
  return ({ tenant, groups }: { tenant: string; groups: readonly string[] }): RequestMasks | undefined => {
    const policy = ofTenant(tenant);
    return policy && createRequestMasks(policy, groups);
  };
}

/** Masks that are known in a request; more values have no original. */
const knownMax = 1000;

/** Creates the masks of a request. `groups`: those of its caller. */
export function createRequestMasks(policy: PersonalDataPolicy, groups: readonly string[]): RequestMasks {
  const find = finderOf(policy);
  const sealer = policy.mode === 'reversible' ? sealerOf(policy) : undefined;
  const isReader = groups.some((group) => policy.readerGroups.includes(group));
  const known = new Map<string, Known>();
  const numbers = new Map<string, string>();

  const issue = ({ kind }: Finding, value: string): string => {
    if (known.size >= knownMax) return `[${kind}]`;
    if (sealer !== undefined) {
      const sealed = sealer.seal(kind, value);
      const short = shortOf(sealed);
      known.set(short, { value, sealed, isOwn: true, isReadable: true });
      return short;
    }
    const name = `${kind} ${value}`;
    const mask = numbers.get(name) ?? `[${kind}_${numbers.size + 1}]`;
    numbers.set(name, mask);
    known.set(mask, { value, sealed: mask, isOwn: true, isReadable: false });
    return mask;
  };
  const shorten = (text: string, isOwn: boolean): string => {
    if (sealer === undefined || !text.includes('[')) return text;
    return text.replace(sealedPattern, (sealed) => {
      const short = shortOf(sealed);
      if (!known.has(short) && known.size < knownMax)
        known.set(short, { value: sealer.open(sealed), sealed, isOwn, isReadable: isOwn || isReader });
      return short;
    });
  };
  const resolve = (mask: string): string | undefined => {
    const found = known.get(mask);
    return found?.isReadable ? found.value : undefined;
  };

  return {
    canRestore: sealer !== undefined,
    mask: (text) => maskFindings(text, find(text), issue).text,
    maskAnswers(texts) {
      // Most answers have no value, and then the passages are not read.
      let shown: ReadonlySet<string> | undefined;
      const isShown = (value: string) => {
        shown ??= new Set(
          texts.flatMap((text) => find(text).map(({ start, end }) => toPublished(text.slice(start, end)))),
        );
        return shown.has(toPublished(value)) || texts.some((text) => text.includes(value));
      };
      return createMaskStream(find, ({ kind }, value) => (isShown(value) ? value : `[${kind}]`));
    },
    shorten: (text) => shorten(text, false),
    shortenOwn: (text) => shorten(text, true),
    seal: (text) => (known.size === 0 ? text : restoreMasks(text, (mask) => known.get(mask)?.sealed)),
    sealOwn: (text) =>
      known.size === 0
        ? text
        : restoreMasks(text, (mask) => (known.get(mask)?.isOwn ? known.get(mask)?.sealed : undefined)),
    restoreForTool: (text) => (known.size === 0 ? text : restoreMasks(text, (mask) => known.get(mask)?.value)),
    restore: (text) => (known.size === 0 ? text : restoreMasks(text, resolve)),
    restoring: () => createRestoreStream(resolve),
  };
}
