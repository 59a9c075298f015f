/** Languages that analysis distinguishes; `und` (BCP 47): another language, or too little text. */
export type Language = 'zh' | 'en' | 'und';

/** Length of the beginning that is read, in UTF-16 code units; it shows the language of a text. */
const READ_LENGTH_MAX = 2_000;

const SCRIPTS = /(\p{sc=Han})|([\p{sc=Hiragana}\p{sc=Katakana}])|(\p{sc=Latin}[\p{sc=Latin}\p{M}]*)|(\p{L})/gu;

/**
 * Returns the language by share of script. A Han character counts as much as a Latin word, because Chinese text is full of English
 * names and English text holds hardly any Chinese. `en` means Latin script: other Latin languages are not distinguished.
 */
export function detectLanguage(text: string): Language {
  const beginning = text.slice(0, READ_LENGTH_MAX);
  const { han, kana, latinWords, otherLetters } = countPlain(beginning) ?? countScripts(beginning);
  // A third of kana is Japanese; Chinese text quotes less of it.
  if (kana * 3 > han + kana || otherLetters > han + latinWords * 5) return 'und';
  if (han + latinWords === 0) return 'und';
  return han >= latinWords ? 'zh' : 'en';
}

interface ScriptCounts {
  han: number;
  kana: number;
  latinWords: number;
  otherLetters: number;
}

function countScripts(text: string): ScriptCounts {
  const counts = { han: 0, kana: 0, latinWords: 0, otherLetters: 0 };
  for (const match of text.normalize('NFKC').matchAll(SCRIPTS)) {
    if (match[1] !== undefined) counts.han += 1;
    else if (match[2] !== undefined) counts.kana += 1;
    else if (match[3] !== undefined) counts.latinWords += 1;
    else counts.otherLetters += 1;
  }
  return counts;
}

/** Returns the same for a text of ASCII, unified ideographs of the BMP and common Chinese punctuation, as nearly every question is; otherwise `undefined`. */
function countPlain(text: string): ScriptCounts | undefined {
  let han = 0;
  let latinWords = 0;
  let inWord = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const isLatin = (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
    if (isLatin && !inWord) latinWords++;
    inWord = isLatin;
    if (code < 0x80) continue;
    if (code >= 0x4e00 && code <= 0x9fa5) han++;
    else if (!punctuation.has(code)) return undefined;
  }
  return { han, kana: 0, latinWords, otherLetters: 0 };
}

// Of the general, the CJK and the full-width kind: none of them is a letter, before NFKC or after it.
const punctuation = new Set(Array.from('、。《》「」『』【】！（），：；？“”‘’', (sign) => sign.charCodeAt(0)));
