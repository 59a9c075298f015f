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
  /** Returns a text of a record with its sealed tokens in the short form. Their originals are known in this request. */
  shorten(text: string): string;
  /** The same for texts of a corpus, whose own policy says who reads their originals. */
  shortenIn(corpus: string): (text: string) => string;
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

/** Masks that are known in a request; more values have no original. */
const knownMax = 1000;

/**
 * Creates what returns the masks of a new request; `undefined` if the tenant of its caller masks nothing, neither what is asked nor documents
 * reversibly.
 */
export function createMasksOf(policies: PersonalDataPolicies) {
  return (caller: Caller): RequestMasks | undefined => {
    const opening = policies.reversibleOf(caller.tenant);
    const policy = policies.ofTenant(caller.tenant);
    return policy || opening ? createRequestMasks({ policy, opening, policies }, caller) : undefined;
  };
}

interface Caller {
  tenant: string;
  groups: readonly string[];
}

interface Policies {
  /** The one of questions and answers; `undefined`: these stay. */
  policy: PersonalDataPolicy | undefined;
  /** One that opens reversible masks. */
  opening: PersonalDataPolicy | undefined;
  policies: PersonalDataPolicies;
}

function createRequestMasks({ policy, opening, policies }: Policies, { tenant, groups }: Caller): RequestMasks {
  const find = policy === undefined ? () => [] : finderOf(policy);
  const sealer = policy?.mode === 'reversible' ? sealerOf(policy) : undefined;
  const opener = opening && sealerOf(opening);
  const isReader = (of: PersonalDataPolicy | undefined) =>
    of?.mode === 'reversible' && groups.some((group) => of.readerGroups.includes(group));
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
  const shorten = (text: string, isOwn: boolean, isReadable: boolean): string => {
    if (opener === undefined || !text.includes('[')) return text;
    return text.replace(sealedPattern, (sealed) => {
      const short = shortOf(sealed);
      const found = known.get(short);
      // Equal values of two corpora have one mask: who may read it in one of them knows it.
      if (found !== undefined) found.isReadable ||= isReadable;
      else if (known.size < knownMax) known.set(short, { value: opener.open(sealed), sealed, isOwn, isReadable });
      return short;
    });
  };
  const resolve = (mask: string): string | undefined => {
    const found = known.get(mask);
    return found?.isReadable ? found.value : undefined;
  };

  return {
    canRestore: opener !== undefined,
    mask: (text) => maskFindings(text, find(text), issue).text,
    maskAnswers(texts) {
      if (policy === undefined) return { push: (delta) => delta, end: () => '' };
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
    shorten: (text) => shorten(text, false, isReader(policy)),
    shortenIn: (corpus) => {
      const isReadable = isReader(policies.ofCorpus(tenant, corpus));
      return (text) => shorten(text, false, isReadable);
    },
    shortenOwn: (text) => shorten(text, true, true),
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
