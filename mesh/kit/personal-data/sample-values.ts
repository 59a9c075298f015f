import { isLuhn } from './detectors/bank.ts';

// Values with a checksum, made by their standards and not by the detectors: for the measure of recall.

/** Kinds of values that are made. */
export const valueKinds = ['identity', 'creditCode', 'card', 'iban', 'mobile'] as const;
export type ValueKind = (typeof valueKinds)[number];

/** A value in its notation, and a text that contains it. */
export interface SampleValue {
  value: string;
  text: string;
}

const digit = (random: () => number): string => String(Math.floor(random() * 10));
const digits = (count: number, random: () => number): string =>
  Array.from({ length: count }, () => digit(random)).join('');
const pick = <T>(values: readonly T[], random: () => number): T => values[Math.floor(random() * values.length)] as T;
const pad = (value: number): string => String(value).padStart(2, '0');

/** Makes a value of a kind in a random notation and sentence. */
export function sampleValue(kind: ValueKind, random: () => number): SampleValue {
  const value = notate(makers[kind](random), kind, random);
  const [before, after] = pick(sentences, random);
  return { value, text: `${before}${value}${after}` };
}

const sentences: readonly (readonly [string, string])[] = [
  ['', ''],
  ['我的是', '，请查一下'],
  ['请核对（', '）谢谢。'],
  ['It is ', '.'],
  ['"number": "', '",'],
  ['| a | ', ' | b |'],
  ['第一行\n', '\n第三行'],
  ['為什麼', '不能用？'],
];

const makers: Readonly<Record<ValueKind, (random: () => number) => string>> = {
  identity(random) {
    const place = pick(['110105', '310104', '440305', '330106', '510107', '650102', '820000'], random);
    const date = `${1940 + Math.floor(random() * 70)}${pad(1 + Math.floor(random() * 12))}${pad(1 + Math.floor(random() * 28))}`;
    const body = place + date + digits(3, random);
    // GB 11643: the weight of a place is 2 to the power of its distance from the end, mod 11.
    let sum = 0;
    for (const [index, character] of [...body].entries()) sum += Number(character) * (2 ** (17 - index) % 11);
    return body + '10X98765432'[sum % 11];
  },
  creditCode(random) {
    const alphabet = '0123456789ABCDEFGHJKLMNPQRTUWXY';
    const body = `${pick(['91', '92', '52', '12'], random)}${digits(6, random)}${Array.from({ length: 9 }, () => pick([...alphabet], random)).join('')}`;
    let sum = 0;
    for (const [index, character] of [...body].entries()) sum += alphabet.indexOf(character) * (3 ** index % 31);
    return body + alphabet[(31 - (sum % 31)) % 31];
  },
  card(random) {
    const [prefix, length] = pick(
      [
        ['4', 16],
        ['51', 16],
        ['2221', 16],
        ['34', 15],
        ['6222', 19],
        ['6217', 16],
        ['6011', 16],
        ['3530', 16],
      ] as const,
      random,
    );
    const body = prefix + digits(length - prefix.length - 1, random);
    return body + [...'0123456789'].find((last) => isLuhn(body + last));
  },
  iban(random) {
    const [country, body] = pick(
      [
        ['GB', `WEST${digits(14, random)}`],
        ['DE', digits(18, random)],
        ['FR', digits(23, random)],
        ['NL', `ABNA${digits(10, random)}`],
      ] as const,
      random,
    );
    const numeric = [...`${body}${country}00`].map((character) => Number.parseInt(character, 36)).join('');
    return `${country}${pad(98 - Number(BigInt(numeric) % 97n))}${body}`;
  },
  mobile: (random) => `1${pick(['30', '38', '51', '77', '86', '99'], random)}${digits(8, random)}`,
};

const groups: Readonly<Record<ValueKind, readonly number[]>> = {
  identity: [6, 8, 4],
  creditCode: [2, 6, 9, 1],
  card: [4, 4, 4, 4, 4],
  iban: [4, 4, 4, 4, 4, 4, 4, 4],
  mobile: [3, 4, 4],
};

function notate(value: string, kind: ValueKind, random: () => number): string {
  const grouped = (separator: string): string => {
    let rest = value;
    const parts = groups[kind].map((length) => {
      const part = rest.slice(0, length);
      rest = rest.slice(length);
      return part;
    });
    return [...parts, rest].filter((part) => part !== '').join(separator);
  };
  switch (Math.floor(random() * 5)) {
    case 0:
      return grouped(' ');
    case 1:
      return grouped('-');
    case 2:
      return value.replace(/[!-~]/g, (character) => String.fromCharCode(character.charCodeAt(0) + 0xfee0));
    case 3:
      return kind === 'mobile' ? `+86 ${value}` : value.toLowerCase();
    default:
      return value;
  }
}
