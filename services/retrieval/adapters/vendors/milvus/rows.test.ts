import type { JsonObject } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '#kit/base/config-error.ts';
import { toTerm } from '../../../stores/remote/rows.ts';
import { anyFilter } from '../../../suites/row-filter.suite.ts';
import { settingsOf } from '../../../suites/store-server.suite.ts';
import { adapter } from '../../vector-store/milvus.ts';
import { rowExpression, scopeExpression } from './conditions.ts';

/** All that an expression may consist of: fields, numbers and hexadecimal terms. */
const plain = /^(?:[a-z_]+|-?\d+|"[0-9a-f]{32}"|==|>=|<=|[<>()[\],]|\s)+$/;

test('every expression begins with its tenant and holds no text of a caller', () => {
  const anyText = fc.string({ unit: 'binary' }).map((text) => text.toWellFormed());
  fc.assert(
    fc.property(anyText, fc.array(anyText, { minLength: 1, maxLength: 3 }), anyFilter, (tenant, texts, filter) => {
      const attributes = texts.map((text) => ({ name: text, values: texts }));
      const search = scopeExpression(tenant, {
        corpora: [
          { corpusId: 1, version: 2 },
          { corpusId: 2, version: 3 },
        ],
        aclIds: [1, 2],
        filter: { ...filter, documentIds: texts, attributes },
      });
      const change = rowExpression(tenant, { corpusId: 1, documentIds: texts, keys: [1], addedIn: [1, 2] });
      for (const expression of [search, change]) {
        expect(expression).toMatch(plain);
        expect(expression?.startsWith(`tenant == "${toTerm(tenant)}" and `)).toBe(true);
      }
    }),
    { numRuns: 30 },
  );
});

test('nothing is searched if the caller may see nothing', () => {
  const corpora = [{ corpusId: 1, version: 1 }];
  expect(scopeExpression('t', { corpora, aclIds: [], filter: undefined })).toBeUndefined();
  expect(scopeExpression('t', { corpora: [], aclIds: [1], filter: undefined })).toBeUndefined();
});

test('a bad setting stops the start with its path', async () => {
  const create = async (given: JsonObject) => {
    const settings = settingsOf(adapter, { url: '127.0.0.1:1', ...given });
    return adapter.create(settings, { folder: '', threads: undefined as never });
  };
  await expect(create({ prefix: '1' })).rejects.toThrow(ConfigError);
  await expect(create({ index_type: 'IVF' })).rejects.toThrow('allowed: FLAT, HNSW');
});
