import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readUnits } from './units.ts';

const textsOf = (text: string) => readUnits(text).map((unit) => unit.text);

test('headings, rules and front matter are never quoted, and head what follows them', () => {
  const text =
    '---\ntitle: Returns\nlang: en\n---\n# Returns\n\nSend it back.\n\n---\n\n## Who pays\n\nWe do.\n\n三、发货\n两天内发货。';
  expect(readUnits(text).map(({ heading, text: quoted }) => [heading, quoted])).toEqual([
    ['Returns', 'Send it back.'],
    ['Who pays', 'We do.'],
    ['三、发货', '两天内发货。'],
  ]);
});

test('a row of a table reads without its table', () => {
  const text =
    '| Zone | First kg | Note |\n|---|---:|---|\n| D | **CNY 118** | |\n\n| 方式 | 费用 |\n|---|---|\n| 次日达 | 25 元。 |';
  expect(readUnits(text)).toMatchObject([
    { kind: 'row', text: 'Zone: D; First kg: CNY 118' },
    { kind: 'row', text: '方式：次日达；费用：25 元' },
  ]);
});

test('steps keep their numbers, their order and the line above them', () => {
  const units = readUnits('Do this:\n1. Open Orders.\n2. Choose Return. Give a reason,\n   and a photo.\n\nThen wait.');
  expect(units).toMatchObject([
    { kind: 'sentence', text: 'Do this:' },
    { kind: 'step', text: 'Open Orders.', number: 1, leadIndex: 0 },
    { kind: 'step', text: 'Choose Return. Give a reason, and a photo.', number: 2, leadIndex: 0 },
    { kind: 'sentence', text: 'Then wait.', leadIndex: undefined },
  ]);
});

describe('a question in the text', () => {
  test('heads its answer and is not one', () => {
    const units = readUnits('Can I pay by card?\nYes, by Visa.\n\nCall us at ten.');
    expect(units.map(({ heading, text }) => [heading, text])).toEqual([
      ['Can I pay by card?', 'Yes, by Visa.'],
      ['', 'Call us at ten.'],
    ]);
  });

  test('in a table of contents is left out', () => {
    expect(textsOf('- 如何退货？\n- 如何换货？\n\n请联系客服。')).toEqual(['请联系客服。']);
  });
});

test('code stays as it is', () => {
  expect(readUnits('Run this:\n\n```sh\nnpm start\n  --port 8080\n```\nDone.')).toMatchObject([
    { kind: 'sentence', text: 'Run this:' },
    { kind: 'code', text: 'npm start\n--port 8080' },
    { kind: 'sentence', text: 'Done.' },
  ]);
});

test('bars of a broken table are not quoted', () => {
  expect(textsOf('不支持资源预留。|实例大小|说明')).toEqual(['不支持资源预留。', '实例大小；说明']);
});

test('any text gives units with something in them', () => {
  const line = fc.constantFrom(
    '# H',
    '- a',
    '1. b',
    '| a | b |',
    '|---|---|',
    '```',
    'Text. More?',
    '你好：',
    '',
    '---',
    '> q',
    'x:',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(line).map((lines) => lines.join('\n')),
  );
  fc.assert(
    fc.property(text, (input) => {
      for (const { text: quoted, leadIndex } of readUnits(input)) {
        expect(quoted).toMatch(/[\p{L}\p{N}]/u);
        expect(quoted.startsWith('#') && !input.includes('```')).toBe(false);
        expect(leadIndex ?? 0).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
