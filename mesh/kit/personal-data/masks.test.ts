import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { PersonalDataConfigSchema, PersonalDataMode } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createFindPersonalData } from './find.ts';
import { maskFindings } from './mask.ts';
import { createMaskStream } from './mask-stream.ts';
import { readPersonalData } from './policy.ts';
import { createMasksOf, type RequestMasks } from './request-masks.ts';
import { createRestoreStream } from './restore.ts';
import { createSealer, labelsOf, shortOf } from './seal.ts';

const key = (id: string) => ({ id, bytes: randomBytes(32) });

test('a masked text has a place for each place of the original', () => {
  const text = 'ab 13812345678 cd';
  const find = createFindPersonalData({});
  const { text: masked, placeOf } = maskFindings(text, find(text), ({ kind }) => `[${kind}]`);
  expect(masked).toBe('ab [PHONE] cd');
  expect([0, 3, 8, 14, 15, 17].map(placeOf)).toEqual([0, 3, 10, 10, 11, 13]);
});

test('a value split over pieces at every point is masked as a whole, and the result is the same', () => {
  const text =
    '请拨打 138 1234 5678。邮箱 li.lei@corp.cn，卡号 4111 1111 1111 1111\nDr. Smith wrote. 身份证11010519491231002X 完';
  const find = createFindPersonalData({});
  const run = (pieces: string[]) => {
    const stream = createMaskStream(find, ({ kind }) => `[${kind}]`);
    return pieces.map((piece) => stream.push(piece)).join('') + stream.end();
  };
  const whole = run([text]);
  expect(whole).toBe('请拨打 [PHONE]。邮箱 [EMAIL]，卡号 [BANK_CARD]\nDr. [PERSON] wrote. 身份证[NATIONAL_ID] 完');
  for (let first = 0; first <= text.length; first++) {
    expect(run([text.slice(0, first), text.slice(first)])).toBe(whole);
  }
  expect(run([...text])).toBe(whole);
});

test('a text without an end of a sentence is held back by at most its bound, and no value is cut', () => {
  const find = createFindPersonalData({});
  const stream = createMaskStream(find, ({ kind }) => `[${kind}]`);
  const text = `${'word 13812345678 '.repeat(300)}`;
  let out = '';
  let longest = 0;
  let read = 0;
  for (const piece of text.match(/.{1,7}/gs) ?? []) {
    out += stream.push(piece);
    read += piece.length;
    longest = Math.max(longest, read - out.replaceAll('[PHONE]', '13812345678').length);
  }
  expect(longest).toBeLessThanOrEqual(1032);
  expect(out + stream.end()).toBe('word [PHONE] '.repeat(300));
});

test('a mask split over pieces at every point is restored, and one that is not known stays', () => {
  const known = new Map([
    ['[PHONE_1]', '13812345678'],
    ['[EMAIL_0a1b2c3d]', 'li@corp.cn'],
  ]);
  const text = 'a [PHONE_1] [1] [PHONE_2] [EMAIL_0a1b2c3d] [x](y) [PHONE_';
  const expected = 'a 13812345678 [1] [PHONE_2] li@corp.cn [x](y) [PHONE_';
  for (let first = 0; first <= text.length; first++) {
    const stream = createRestoreStream((mask) => known.get(mask));
    expect(stream.push(text.slice(0, first)) + stream.push(text.slice(first)) + stream.end()).toBe(expected);
  }
});

test('a sealed value opens with the key of its tenant alone, also after a new key', () => {
  const [old, fresh] = [key('k1'), key('k2')];
  const sealed = createSealer([old], 'acme').seal('PHONE', '13812345678');
  expect(sealed).toMatch(/^\[PHONE_k1_[0-9a-f]+\]$/);
  expect(createSealer([old], 'acme').seal('PHONE', '13812345678')).toBe(sealed);
  expect(createSealer([fresh, old], 'acme').open(sealed)).toBe('13812345678');
  expect(createSealer([fresh], 'acme').open(sealed)).toBeUndefined();
  expect(createSealer([old], 'other').open(sealed)).toBeUndefined();
  expect(createSealer([old], 'acme').open(sealed.replace('PHONE', 'EMAIL'))).toBeUndefined();
  expect(
    createSealer([old], 'acme').open(sealed.replace(/.(?=\]$)/, (last) => (last === '0' ? '1' : '0'))),
  ).toBeUndefined();
  expect(shortOf(`x ${sealed}`)).toMatch(/^x \[PHONE_[0-9a-f]{8}\]$/);
  expect(labelsOf(sealed)).toBe('[PHONE]');
});

const readPolicies = (policies: object[]) =>
  readPersonalData(
    create(PersonalDataConfigSchema, {
      policies,
      keys: [{ id: 'k1', key: Buffer.alloc(32, 3).toString('base64') }],
    } as never),
  );
/** Masks of a caller with these groups. */
const masksOf = (policies: object[], ...groups: string[]): RequestMasks => {
  const masks = createMasksOf(readPolicies(policies))({ tenant: 'acme', groups });
  if (masks === undefined) throw new Error('nothing is masked');
  return masks;
};

test('mask: the same value has one mask in a request, only a tool gets it back', () => {
  const masks = masksOf([{ mode: PersonalDataMode.MASK }]);
  const text = masks.mask('13812345678 或 13912345678，再说 13812345678');
  expect(text).toBe('[PHONE_1] 或 [PHONE_2]，再说 [PHONE_1]');
  expect(masks.restore(text)).toBe(text);
  expect(masks.restoreForTool('[PHONE_2] [PHONE_3]')).toBe('13912345678 [PHONE_3]');
});

test('reversible: the caller sees the own values, those of documents only as a reader', () => {
  const policies = [{ mode: PersonalDataMode.REVERSIBLE, readerGroups: ['service'] }];
  const author = masksOf(policies);
  const own = author.mask('我的手机 13812345678');
  expect(own).toMatch(/^我的手机 \[PHONE_[0-9a-f]{8}\]$/);
  expect(author.restore(own)).toBe('我的手机 13812345678');
  const sealed = author.seal(own);
  const [stranger, reader] = [masksOf(policies, 'sales'), masksOf(policies, 'service')];
  expect(stranger.restore(stranger.shorten(sealed))).toBe(own);
  expect(reader.restore(reader.shorten(sealed))).toBe('我的手机 13812345678');
  // A mask that is not of this request is not resolved, however it was learned.
  expect(masksOf(policies, 'service').restore(own)).toBe(own);
});

test.each([
  ['nothing', []],
  ['mask', [{ mode: PersonalDataMode.MASK }]],
  ['reversible, for others', [{ mode: PersonalDataMode.REVERSIBLE, readerGroups: ['service'] }]],
])('originals of a corpus are for its own readers, if the tenant has the policy: %s', (_, ofTenant) => {
  const policies = [{ corpus: 'hr', mode: PersonalDataMode.REVERSIBLE, readerGroups: ['hr'] }, ...ofTenant];
  const policy = readPolicies(policies).ofCorpus('acme', 'hr');
  const sealed = policy && createSealer(policy.keys, 'acme').seal('PHONE', '13812345678');
  const seenBy = (group: string, corpus: string) => {
    const masks = masksOf(policies, group);
    return masks.restore(masks.shortenIn(corpus)(`Call ${sealed}`));
  };
  expect(seenBy('hr', 'hr')).toBe('Call 13812345678');
  expect(seenBy('service', 'hr')).toMatch(/^Call \[PHONE_[0-9a-f]{8}\]$/);
  expect(seenBy('hr', 'help')).toMatch(/^Call \[PHONE_[0-9a-f]{8}\]$/);
});

test('a tenant with nothing but a reversible corpus has its questions and answers as they are', () => {
  const masks = masksOf([{ corpus: 'hr', mode: PersonalDataMode.REVERSIBLE }]);
  expect(masks.mask('13812345678')).toBe('13812345678');
  const stream = masks.maskAnswers([]);
  expect(stream.push('Call 138')).toBe('Call 138');
  expect(stream.push('12345678') + stream.end()).toBe('12345678');
  expect(createMasksOf(readPolicies([{ corpus: 'hr' }]))({ tenant: 'acme', groups: [] })).toBeUndefined();
});

test('an answer may say what its passages say; another value is masked', () => {
  const masks = masksOf([{ mode: PersonalDataMode.MASK }]);
  const stream = masks.maskAnswers(['门店电话 021-62881234']);
  const out = stream.push('门店是 021 6288 1234，他的手机是 13812345678。') + stream.end();
  expect(out).toBe('门店是 021 6288 1234，他的手机是 [PHONE]。');
});

test('the policy of a corpus precedes that of its tenant, and a wrong one stops the start', () => {
  const read = (policies: object[], keys: object[] = []) =>
    readPersonalData(create(PersonalDataConfigSchema, { policies, keys } as never));
  const policies = read([
    { tenant: 'acme', corpus: 'open', mode: PersonalDataMode.OFF },
    { tenant: 'acme' },
    { corpus: 'orders', except: [6] },
  ]);
  expect(policies.ofCorpus('acme', 'open')).toBeUndefined();
  expect(policies.ofCorpus('acme', 'other')?.mode).toBe('mask');
  expect(policies.ofCorpus('beta', 'orders')?.except).toEqual(['PHONE']);
  expect(policies.ofTenant('beta')).toBeUndefined();
  expect(() => read([{ mode: PersonalDataMode.REVERSIBLE }])).toThrow('personal_data.policies[0]');
  expect(() => read([{ patterns: ['('] }])).toThrow('personal_data.policies[0].patterns[0]');
  expect(() => read([{}], [{ id: 'k', key: 'x'.repeat(44) }])).toThrow('personal_data.keys[0].key');
});
