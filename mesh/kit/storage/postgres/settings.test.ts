import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { StorageConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { describeAddress, readStorage } from './settings.ts';

const read = (init: MessageInitShape<typeof StorageConfigSchema>) => readStorage(create(StorageConfigSchema, init));

test('without a URL the records are embedded', () => {
  expect(readStorage(undefined)).toBeUndefined();
  expect(read({ poolSize: 3 })).toBeUndefined();
});

test.each([
  ['postgres://ann:p%40s%25@db/shop', { host: 'db', port: 5432, user: 'ann', password: 'p@s%', database: 'shop' }],
  ['postgresql://ann@[::1]:5433/shop', { host: '::1', port: 5433, password: '', tls: false }],
  ['postgres://ann@localhost/shop?host=/run/postgresql', { host: '/run/postgresql', database: 'shop' }],
  ['postgres://ann@db/shop?sslmode=require', { tls: { rejectUnauthorized: false } }],
  ['postgres://ann@db/shop?sslmode=verify-full', { tls: { rejectUnauthorized: true } }],
])('the URL %s says how to connect', (database, expected) => {
  expect(read({ database })).toMatchObject(expected);
});

test('the mode of the settings is stronger than that of the URL', () => {
  const database = 'postgres://ann@db/shop?sslmode=disable';
  expect(read({ database, tls: { mode: 'verify-full' } })).toMatchObject({ tls: { rejectUnauthorized: true } });
});

test.each([
  [{ database: 'mysql://ann:secret@db/shop' }, 'storage.database: must be'],
  [{ database: 'postgres://ann:secret@db' }, 'storage.database: must be'],
  [{ database: 'postgres://ann:se@secret@db/shop' }, 'storage.database: must be'],
  [{ database: 'postgres://ann:%secret@db/shop' }, 'storage.database: must be'],
  [{ database: 'postgres://ann:secret@db/shop?password=secret' }, 'the parameter "password" is not supported'],
  [{ database: 'postgres://ann:secret@db/shop?sslmode=prefer' }, 'allowed: disable, require, verify-full'],
  [{ database: 'postgres://ann:secret@db/shop', tls: { caFile: '/none' } }, 'storage.tls.ca_file: cannot be read'],
  [{ database: 'postgres://ann:secret@db/shop', tls: { keyFile: '/none' } }, 'need each other'],
  [{ tls: { mode: 'require' } }, 'storage.tls: needs storage.database'],
])('what cannot be used is refused, and no password is printed: %j', (init, message) => {
  expect(() => read(init)).toThrow(message);
  expect(() => read(init)).not.toThrow(/secret(?!\?|")/);
});

test('an address has neither user nor password', () => {
  const settings = read({ database: 'postgres://ann:secret@[::1]/shop' });
  expect(describeAddress(settings as NonNullable<typeof settings>)).toBe('[::1]:5432/shop');
});
