import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { UsageAmountsSchema } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { savedBy } from './measures.ts';

test('what the cache saved is money only for answers whose model has a price', () => {
  const amounts = (currency: string, savedTokens: bigint, savedMicros = 0n) =>
    create(UsageAmountsSchema, { currency, savedTokens, savedMicros, costMicros: 7n });
  expect(savedBy([amounts('USD', 0n), amounts('', 40n)])).toEqual({ priced: [], tokens: 40n, unpricedTokens: 40n });
  expect(savedBy([amounts('USD', 60n, 9n), amounts('', 40n), amounts('CNY', 0n)])).toMatchObject({
    priced: [{ currency: 'USD', savedMicros: 9n }],
    tokens: 100n,
    unpricedTokens: 40n,
  });
  // A model that is free of charge has a price: none of its tokens is without one.
  expect(savedBy([amounts('EUR', 5n)])).toMatchObject({ priced: [{ currency: 'EUR' }], unpricedTokens: 0n });
});
