import { expect, test } from 'vitest';
import { readSettings } from '../host/config/adapter-settings.ts';
import { openRedis } from './redis.ts';
import { redisError } from './redis-errors.ts';
import { readRedisUrl, redisSettings } from './redis-settings.ts';

const settingsOf = (given: object) => readSettings(redisSettings('test:'), given as never, 'redis.settings');
const open = (given: object) => openRedis(settingsOf(given), { name: 'test store', timeoutMs: 100 });

test.each([
  ['redis://user:p%40ss@db:7000/3', { host: 'db', port: 7000, username: 'user', password: 'p@ss', database: 3 }],
  ['rediss://db', { host: 'db', port: 6379, isTls: true }],
  ['db:7000', { host: 'db', port: 7000, isTls: false, database: 0 }],
  ['[::1]:7000', { host: '::1', port: 7000 }],
])('the URL %s names its node', (url, node) => {
  expect(readRedisUrl(url, 6379)).toMatchObject(node);
});

test.each(['http://db:6379', '', 'redis://', 'redis://db/name', 'redis://u:50%@db', 'redis://u:%ff@db', 'a b'])(
  '%j is not a URL of Redis',
  (url) => {
    expect(readRedisUrl(url, 6379)).toBeUndefined();
  },
);

test.each([
  [{ url: 'http://user:secret@db' }, 'redis.settings.url: is not allowed'],
  [{ urls: ['redis://db', 'http://user:secret@db'], cluster: true }, 'redis.settings.urls.1: is not allowed'],
  [{ sentinels: 'db:26379' }, 'redis.settings.sentinels: unknown setting: did you mean "sentinel"?'],
])('a setting that is not allowed is named, and a secret is not printed: %j', (given, message) => {
  expect(() => settingsOf(given)).toThrow(message);
  expect(() => settingsOf(given)).not.toThrow('secret');
});

test.each([
  [{ urls: ['db:1'], cluster: true, sentinel: 'shop' }, 'sentinel: excludes cluster'],
  [{ cluster: true }, 'urls: is missing: list the first nodes'],
  [{ sentinel: 'shop' }, 'urls: is missing: list the Sentinels'],
  [{ urls: ['db:1'] }, 'urls: needs sentinel or cluster'],
  [{ tls: true, tls_ca_file: '/no/such/file' }, 'tls_ca_file: cannot be read'],
])('settings that contradict each other are refused: %j', async (given, message) => {
  await expect(open(given)).rejects.toThrow(message);
});

test.each([
  ['OOM command not allowed', 'the test store is full'],
  ['CLUSTERDOWN The cluster is down', 'the test store has lost a part of its cluster'],
  ['WRONGPASS invalid username-password pair', 'the test store rejects its password: check the settings'],
])('the reply %j is reported as unavailable with its reason', (text, message) => {
  const reply = Object.assign(new Error(text), { name: 'ReplyError' });
  expect(redisError('test store', reply)).toMatchObject({ rawMessage: message });
});

test('a lost connection is unavailable, and any other reply is internal without its text', () => {
  expect(redisError('test store', new Error('Connection is closed.'))).toMatchObject({
    rawMessage: 'the test store cannot be reached',
  });
  const reply = Object.assign(new Error('ERR question of a user'), { name: 'ReplyError' });
  expect(String(redisError('test store', reply))).not.toContain('question of a user');
});
