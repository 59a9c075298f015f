import { describe, expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { createFindPersonalData } from './find.ts';
import { sampleValue, valueKinds } from './sample-values.ts';

const find = createFindPersonalData({});
const foundIn = (text: string) => find(text).map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`);

describe('values with a checksum', () => {
  test.each(valueKinds)('%s: every one is found, in each notation, as a whole', (kind) => {
    const random = seededRandom(7);
    for (let count = 0; count < 300; count++) {
      const { value, text } = sampleValue(kind, random);
      const found = find(text);
      const start = text.indexOf(value);
      expect(
        found.some((finding) => finding.start <= start && finding.end >= start + value.length),
        text,
      ).toBe(true);
    }
  });

  test('one wrong digit is no value', () => {
    expect(foundIn('编号 11010519491231002X，1101051949123100 21')).toEqual(['NATIONAL_ID 11010519491231002X']);
    expect(foundIn('code 110105194912310021, 4111111111111112, GB82WEST12345698765433')).toEqual([]);
  });
});

test.each([
  ['我的手机号是13812345678。', ['PHONE 13812345678']],
  ['電話：１３８－１２３４－５６７８', ['PHONE １３８－１２３４－５６７８']],
  ['call 021-62881234 or (541) 754-3010', ['PHONE 021-62881234', 'PHONE (541) 754-3010']],
  ['客服热线 400-820-8820、95187、12315', []],
  ['phone +44 7700 900397 x123', ['PHONE +44 7700 900397 x123']],
  ['order 20231381234567890, date 2026-01-02, $13,812,345,678', []],
  ['write to li.lei@corp.cn, support@corp.cn or a@example.com', ['EMAIL li.lei@corp.cn']],
  ['oss://key:secret@bucket.oss.com and photo@2x.png', []],
  ['护照 E12345678，車牌 沪A·12345', ['PASSPORT E12345678', 'PLATE 沪A·12345']],
  ['我的IP 47.92.12.34；服务器 47.92.12.35', ['IP_ADDRESS 47.92.12.34']],
  [
    '收货地址：杭州市西湖区文三路12号3幢402室，收件人：张小明',
    ['ADDRESS 杭州市西湖区文三路12号3幢402室', 'PERSON 张小明'],
  ],
  ['My name is Maria Jensen, I live at 12 Oak Street', ['PERSON Maria Jensen', 'ADDRESS 12 Oak Street']],
  ['Ship to PO Box 123 or 4500 Elm Apt. 7', ['ADDRESS PO Box 123', 'ADDRESS 4500 Elm Apt. 7']],
  ['No, Hauptstraße 12', ['ADDRESS Hauptstraße 12']],
  ['Account B. You can share it with Faina D. Yefremova', ['PERSON Faina D. Yefremova']],
  ['Tomomi Nishiyama lives at the sea', ['PERSON Tomomi Nishiyama']],
  ['my SSN is 078-05-1120', ['NATIONAL_ID 078-05-1120']],
  ['[PHONE_1] phone [PHONE_12345678]', []],
])('%s', (text, expected) => {
  expect(foundIn(text)).toEqual(expected);
});

test('what a tenant publishes stays, in any notation, and own patterns are found', () => {
  const own = createFindPersonalData({
    published: ['021-6288 1234', 'Ann@Shop.cn'],
    patterns: ['ORD-\\d{6}'],
    except: ['PERSON'],
  });
  expect(own('02162881234 021-62881234 ann@shop.cn')).toEqual([]);
  expect(own('我叫张伟, ORD-123456')).toEqual([{ kind: 'NUMBER', start: 6, end: 16 }]);
  expect(() => createFindPersonalData({ patterns: ['(?<=a)(b'] })).toThrow();
});

test('hostile text takes time in proportion to its length', () => {
  const cpuOf = (text: string) => {
    const before = process.cpuUsage();
    find(text);
    return process.cpuUsage(before).user;
  };
  const leastOf = (text: string) => Math.min(...Array.from({ length: 3 }, () => cpuOf(text)));
  for (const unit of [
    '1',
    '1 ',
    '138-',
    'a@',
    'a.',
    '@',
    '路1号',
    '市',
    '(+',
    'Ann ',
    '2::',
    'phone 1',
    '姓名：',
    'Ab ',
    'A. B',
    '1 A ',
    'Rua a',
    '[PHONE_',
  ]) {
    find(unit.repeat(2000));
    const [short, long] = [leastOf(unit.repeat(4000)), leastOf(unit.repeat(32_000))];
    // Eight times the text; a quadratic search would take 64 times as long.
    expect(long, unit).toBeLessThan(30 * short + 80_000);
  }
});
