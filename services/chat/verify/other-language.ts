import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { withoutMarkers } from './sentences.ts';

const codeOnly = /^[^\p{L}]*(?:[\p{L}\d]*\d[\p{L}\d-]*[^\p{L}]*)*$/u;

/** Returns whether an answer is plainly not in the requested language; UNSPECIFIED is any language. */
export function isOtherLanguage(text: string, language: Language, questions: readonly string[]): boolean {
  if (language !== Language.ZH && language !== Language.EN) return false;
  const written = withoutMarkers(text);
  // A code or a name has no language, neither as a question nor as an answer.
  if (codeOnly.test(written) || questions.every((question) => codeOnly.test(question))) return false;
  const detected = detectLanguage(written);
  if (language === Language.ZH) return detected === 'en' && !/\p{sc=Han}/u.test(written) && wordCount(written) >= 5;
  return detected === 'zh';
}

const wordCount = (text: string) => text.match(/\p{sc=Latin}{2,}/gu)?.length ?? 0;
