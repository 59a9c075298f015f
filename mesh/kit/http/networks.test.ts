import { expect, test } from 'vitest';
import { createNetworks, isNetwork } from './networks.ts';

test('an address is in a network by its bits, also if IPv4 is written as IPv6', () => {
  const networks = createNetworks(['10.1.0.0/16', '192.0.2.7', '2001:db8::/32']);
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', '2001:db8:1::1']) {
    expect(networks.has(address)).toBe(true);
  }
  for (const address of ['10.2.0.1', '192.0.2.8', '2001:db9::1', '', 'localhost', '10.1.2.3:80']) {
    expect(networks.has(address)).toBe(false);
  }
});

test('what is no network is found', () => {
  for (const text of ['10.0.0.0/33', '10.0.0', 'a/8', '10.0.0.0/8/8', '::/129', '10.0.0.0/']) {
    expect(isNetwork(text)).toBe(false);
  }
  expect(() => createNetworks(['10.0.0.0/33'])).toThrow(TypeError);
});
