// Months and holidays of a fixed date that a question names, and the periods of a text that include them: "March to October" has May.

/** Days of a year from one to another, each as 100 × month + day; a period over the new year ends with the smaller one. */
interface Period {
  from: number;
  to: number;
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const month =
  'jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|(?<=(?:in|from|to|until|till|through|of|since|by|before|after|early|late|[-–—\\d]|(?:st|nd|rd|th)) ?)may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?';
const date = new RegExp(
  `(?<![a-z\\d])(?:(?<first>\\d{1,2})(?:st|nd|rd|th)?(?: ?(?:and|to|[-–—]) ?(?<last>\\d{1,2})(?:st|nd|rd|th)?)?(?: of)? )?(?<name>${month})(?![a-z])(?: (?<after>\\d{1,2})(?:st|nd|rd|th)?(?![\\d:]))?|(?<![\\d.])(?:(?<start>1[0-2]|[1-9]) ?[-–—~至到] ?)?(?<number>1[0-2]|[1-9]) ?月份?(?: ?(?<day>\\d{1,2}) ?[日号]?(?: ?[-–—~至到] ?(?<end>\\d{1,2}) ?[日号])?)?`,
  'g',
);
const until = /^ ?(?:to|until|till|through|thru|[-–—~至到]|起至) ?(?:the |次年 ?|翌年 ?)?$/;
/** Months as stems of a question, and holidays with a fixed date. */
const named: ReadonlyMap<string, Period> = new Map([
  ...[
    'januari',
    'februari',
    'march',
    'april',
    'mai',
    'june',
    'juli',
    'august',
    'septemb',
    'octob',
    'novemb',
    'decemb',
  ].map((stem, at) => [stem, wholeMonth(at + 1)] as const),
  ...months.map((_, at) => [`${at + 1}月`, wholeMonth(at + 1)] as const),
  ...['christma', 'xma', '圣诞', '圣诞节'].map((holiday) => [holiday, { from: 1225, to: 1225 }] as const),
  ...['国庆', '国庆节'].map((holiday) => [holiday, { from: 1001, to: 1001 }] as const),
  ['元旦', { from: 101, to: 101 }],
]);

function wholeMonth(number: number): Period {
  return { from: number * 100 + 1, to: number * 100 + 31 };
}

/** Returns the period that a word of a question names; `undefined`: none. */
export const periodNamed = (word: string): Period | undefined => named.get(word);

/** Returns whether a text in normal form has a period or day that overlaps another. */
export function hasPeriod(plain: string, { from, to }: Period): boolean {
  return periodsOf(plain).some((period) =>
    period.from <= period.to ? from <= period.to && to >= period.from : from <= period.to || to >= period.from,
  );
}

function periodsOf(plain: string): Period[] {
  const periods: Period[] = [];
  let end = 0;
  for (const match of plain.matchAll(date)) {
    const groups = match.groups ?? {};
    const number = groups.name === undefined ? Number(groups.number) : months.indexOf(groups.name.slice(0, 3)) + 1;
    const first = groups.first ?? groups.after ?? groups.day;
    const last = groups.last ?? groups.end ?? first;
    const period = {
      from: (groups.start === undefined ? number : Number(groups.start)) * 100 + Number(first ?? 1),
      to: number * 100 + Number(last ?? 31),
    };
    const before = periods.at(-1);
    if (before !== undefined && until.test(plain.slice(end, match.index))) before.to = period.to;
    else periods.push(period);
    end = match.index + match[0].length;
  }
  return periods;
}
