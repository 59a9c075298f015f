/** For each language that is recognised but not served: which ones are, in that language. */
const served: Readonly<Record<string, string>> = {
  ja: '中国語と英語のご質問にお答えできます。',
  ko: '중국어와 영어로 된 질문에 답변할 수 있습니다.',
  ru: 'Я отвечаю на вопросы на китайском и английском языках.',
  ar: 'أجيب عن الأسئلة باللغتين الصينية والإنجليزية.',
  th: 'ฉันตอบคำถามเป็นภาษาจีนและภาษาอังกฤษ',
  de: 'Ich beantworte Fragen auf Chinesisch und Englisch.',
  fr: 'Je réponds aux questions en chinois et en anglais.',
  es: 'Respondo a preguntas en chino y en inglés.',
  pt: 'Respondo a perguntas em chinês e em inglês.',
  it: 'Rispondo a domande in cinese e in inglese.',
};

const scripts: readonly (readonly [language: string, script: RegExp])[] = [
  ['ja', /[\p{sc=Hiragana}\p{sc=Katakana}]/gu],
  ['ko', /\p{sc=Hangul}/gu],
  ['ru', /\p{sc=Cyrillic}/gu],
  ['ar', /\p{sc=Arabic}/gu],
  ['th', /\p{sc=Thai}/gu],
];

// Frequent words that the other languages of this list and English do not have.
const words = (list: string): ReadonlySet<string> => new Set(list.split(' '));
const frequent: Readonly<Record<string, ReadonlySet<string>>> = {
  de: words(
    'ich ist das der die wie lange kann nicht und mein meine für wann wo habe haben sie ein eine zurückgeben bitte wird mit kostet gibt es',
  ),
  fr: words(
    'je est le les combien puis quel quelle mon ma pour quand où avez vous une des retourner livraison comment faire temps puis-je du pas',
  ),
  es: words(
    'el los cuánto cuánto puedo cuál mi para cuándo dónde tienen usted una devolver envío cómo tiempo hay días tengo es qué',
  ),
  pt: words('o os quanto posso qual meu minha para quando onde vocês uma devolver envio como dias tenho é não prazo'),
  it: words(
    'il gli quanto posso quale mio mia per quando dove avete una restituire spedizione come giorni ho è non tempo',
  ),
};
const english = words('the is are how what when can i my do does for to of it you a an and');

/** Words of a language that a message must have. */
const minWords = 2;

/** Returns which languages are served, in the language of the message; empty if the message is Chinese, English or in a language that is not recognised. */
export function otherLanguageText(message: string): string {
  const text = message.slice(0, 500).normalize('NFKC').toLowerCase();
  const letters = (text.match(/\p{L}/gu) ?? []).length;
  for (const [language, script] of scripts) {
    // A third of kana is Japanese: the rest is Han.
    const share = (text.match(script) ?? []).length / Math.max(1, letters);
    if (share > 0.3) return served[language] ?? '';
  }
  const all = text.match(/[\p{sc=Latin}'-]+/gu) ?? [];
  const count = (known: ReadonlySet<string>) => new Set(all.filter((word) => known.has(word))).size;
  const [best = '', most = 0] = Object.entries(frequent)
    .map(([language, known]) => [language, count(known)] as const)
    .reduce((a, b) => (b[1] > a[1] ? b : a));
  return most >= minWords && most > count(english) ? (served[best] ?? '') : '';
}
