import { createHash } from 'node:crypto';
import type { LabelledPair } from '../semantic/calibration/calibrate.ts';

// What tests of the layer share: pairs to calibrate with, and an embedding.

const zhSubjects = [
  '退货',
  '换货',
  '退款',
  '发票',
  '快递',
  '运费',
  '优惠券',
  '积分',
  '会员',
  '地址',
  '订单',
  '账号',
  '密码',
  '余额',
  '保修',
  '安装',
];
const zhActions = ['申请', '查询', '取消', '更改', '关闭', '使用', '领取', '提交', '撤销', '恢复'];
const zhAsked: readonly ((what: string) => string)[] = [
  (what) => `怎么${what}`,
  (what) => `请问如何${what}？`,
  (what) => `你好，怎么才能${what}呢`,
  (what) => `想问一下怎样${what}，谢谢`,
];

/** Synthetic Chinese pairs: the same action and subject asked in other ways, or another one of them. Deterministic. */
export function syntheticPairs(count: number): LabelledPair[] {
  const pairs: LabelledPair[] = [];
  for (let index = 0; index < count; index++) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = createHash('sha256').update(String(index)).digest();
    const subject = zhSubjects[a % zhSubjects.length] as string;
    const action = zhActions[b % zhActions.length] as string;
    const isSame = index % 2 === 0;
    const isOther = d % 2 === 0;
    const other = isSame || !isOther ? subject : (zhSubjects[(a + 1 + (e % 15)) % zhSubjects.length] as string);
    const done = isSame || isOther ? action : (zhActions[(b + 1 + (e % 9)) % zhActions.length] as string);
    pairs.push({
      first: (zhAsked[c % 4] as (what: string) => string)(`${action}${subject}`),
      second: (zhAsked[(c >> 2) % 4] as (what: string) => string)(`${done}${other}`),
      isSame,
    });
  }
  return pairs;
}

/** A vector of character counts by hash, of length 1: near texts are near. */
export function testVector(text: string, dimensions = 32): Float32Array {
  const vector = new Float32Array(dimensions);
  for (const character of text) {
    const place = (character.codePointAt(0) as number) % dimensions;
    vector[place] = (vector[place] as number) + 1;
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

/** The model of {@link testVector}. */
export const testEmbedding = { model: 'characters-32', dimensions: 32 };
