import { expect, test } from 'vitest';
import { linesAt, readPages } from '../../../../testing/pdf/read-made-pdf.ts';

const english = (side: string) =>
  Array.from({ length: 6 }, (_, index) => `The ${side} column says in its line ${index} what`).concat(
    `is the end of the ${side}.`,
  );

test('columns are read one after the other, also if the file draws them line by line', async () => {
  const left = linesAt(60, 120, english('left'));
  const right = linesAt(320, 120, english('right'));
  const texts = left.flatMap((one, index) => [one, right[index] ?? one]);
  const { texts: read } = await readPages({
    texts: [{ text: 'A title over both of the columns', x: 60, y: 80, size: 18 }, ...texts],
  });
  expect(read[0]).toBe('# A title over both of the columns');
  expect(read.slice(1).map((one) => /left|right/.exec(one)?.[0])).toEqual(['left', 'right']);
});

test('Chinese columns keep together what a line break divides, without a space', async () => {
  const { texts } = await readPages({
    texts: [
      ...linesAt(60, 100, [
        '左栏第一段会员等级分为青铜白银黄',
        '金铂金四级按近十二个月的实付金额',
        '计算每月一日更新。',
      ]),
      ...linesAt(320, 107, ['右栏第一段发票可在订单完成后九十', '天内申请电子发票二十四小时内发送', '至邮箱。']),
    ],
  });
  expect(texts).toEqual([
    '左栏第一段会员等级分为青铜白银黄金铂金四级按近十二个月的实付金额计算每月一日更新。',
    '右栏第一段发票可在订单完成后九十天内申请电子发票二十四小时内发送至邮箱。',
  ]);
});

test('a page that is displayed turned is read as displayed, and text beside it that is turned comes last', async () => {
  const turned = await readPages({
    rotate: 90,
    texts: [
      { text: 'First line of the page', x: 500, y: 700, turns: 1 },
      { text: 'Second line of it', x: 514, y: 700, turns: 1 },
    ],
  });
  expect(turned.texts).toEqual(['First line of the page Second line of it']);
  const beside = await readPages({
    texts: [
      { text: 'Mark at the side', x: 30, y: 500, turns: 1 },
      ...linesAt(60, 100, ['The text of the page begins here', 'and it ends here.']),
    ],
  });
  expect(beside.texts).toEqual(['The text of the page begins here and it ends here.', 'Mark at the side']);
});

test('text that runs down the page is read down, from right to left, with boxes as displayed', async () => {
  const { texts, document } = await readPages({
    texts: [
      { text: 'ABCDEFGH', x: 300, y: 80, isDown: true },
      { text: 'IJKLMNOP', x: 280, y: 80, isDown: true },
    ],
  });
  expect(texts.join(' ').replaceAll(' ', '')).toBe('ABCDEFGHIJKLMNOP');
  const region = document.blocks[0]?.regions?.[0];
  expect((region?.bottom ?? 0) - (region?.top ?? 0)).toBeGreaterThan((region?.right ?? 0) - (region?.left ?? 0));
});

test('a character that is drawn twice to look bold is one, and an index stays in its line', async () => {
  const { texts } = await readPages({
    texts: [
      { text: 'Bold', x: 60, y: 100 },
      { text: 'Bold', x: 60.4, y: 100 },
      { text: 'Water is H', x: 60, y: 200 },
      { text: '2', x: 107, y: 203, size: 6 },
      { text: 'O.', x: 111, y: 200 },
    ],
  });
  expect(texts[0]).toBe('Bold');
  expect(texts.slice(1).join(' ').replaceAll(' ', '')).toBe('WaterisH2O.');
});

test('text that is not drawn, such as that of a scan that was read before, is text', async () => {
  const { texts } = await readPages({
    images: [[0, 0, 595, 842]],
    texts: linesAt(60, 100, ['The words of a scan, which a program has read', 'and put below the image.'], {
      isInvisible: true,
    }),
  });
  expect(texts).toEqual(['The words of a scan, which a program has read and put below the image.']);
});
