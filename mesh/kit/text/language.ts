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
  let han = 0;
  let kana = 0;
  let latinWords = 0;
  let otherLetters = 0;
  for (const match of text.slice(0, READ_LENGTH_MAX).normalize('NFKC').matchAll(SCRIPTS)) {
    if (match[1] !== undefined) han += 1;
    else if (match[2] !== undefined) kana += 1;
    else if (match[3] !== undefined) latinWords += 1;
    else otherLetters += 1;
  }
  // A third of kana is Japanese; Chinese text quotes less of it.
  if (kana * 3 > han + kana || otherLetters > han + latinWords * 5) return 'und';
  if (han + latinWords === 0) return 'und';
  return han >= latinWords ? 'zh' : 'en';
}
