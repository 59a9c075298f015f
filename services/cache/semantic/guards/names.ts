/** Common words that are often written in capitals. */
const shouted = new Set('a i ok faq asap pls please not no yes and or is it to in on of for me my'.split(' '));

/** Names of times; facts hold those. */
const times =
  /^(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|am|pm)$/;

/** Returns the quoted words and names of a text in its original case (NFKC): what is quoted, and capitalised Latin words inside a sentence. */
export function namesOf(raw: string): string[] {
  const names = new Set<string>();
  for (const [, quoted = ''] of raw.matchAll(/[「『“"《【]([^「」『』“”"《》【】]{1,40})[」』”"》】]/g))
    names.add(quoted.trim().toLowerCase());
  const isShouting = raw === raw.toUpperCase();
  for (const match of raw.matchAll(/(?<![A-Za-z0-9'’])[A-Za-z][A-Za-z0-9&]*(?:[-'’][A-Za-z0-9]+)*/g)) {
    const [word] = match;
    const isInner = /[A-Z]/.test(word.slice(1));
    const begins = /(?:^|[.?!:;。？！：；\n])\s*$/.test(raw.slice(0, match.index));
    const isName = isInner ? !isShouting : /^[A-Z]/.test(word) && !begins;
    // Letters with digits are codes, and compared as such.
    const isElsewhere = /\d/.test(word) || times.test(word.toLowerCase()) || shouted.has(word.toLowerCase());
    if (isName && word.length > 1 && !isElsewhere) names.add(word.toLowerCase().replace(/['’]s$/, ''));
  }
  return [...names];
}

/** Returns every Latin word of a text in normal form: in a Chinese question each of them is a name. */
export function latinWordsOf(text: string): string[] {
  return [...new Set(text.match(/[a-z][a-z&'-]*/g) ?? [])];
}
