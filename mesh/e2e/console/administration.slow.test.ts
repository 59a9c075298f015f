import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createClient } from '@connectrpc/connect';
import { beforeAll, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { askWhole, startWholeMesh } from '../testing/whole-mesh.ts';
import { accessibilityFaults, timeout } from './pages.ts';
import { as, keysOf, useSite } from './site.ts';

// What administrators and auditors do, in a real browser, over the whole mesh.

const roles = {
  administrator: [Role.READER, Role.ADMINISTRATOR],
  platform: [Role.READER, Role.ADMINISTRATOR, Role.PLATFORM_ADMINISTRATOR],
  auditor: [Role.READER, Role.AUDITOR],
  finance: [Role.READER, Role.AUDITOR, Role.ADMINISTRATOR],
  operator: [Role.READER, Role.OPERATOR],
  reader: [Role.READER],
};
const poll = { timeout, interval: 50 };
const question = 'Where is the zebra kept at night?';

const site = useSite('the administration', 8, () =>
  startWholeMesh({
    sample: false,
    config: {
      edge: { apiKeys: keysOf(roles) },
      privacy: { retention: [{ tenant: 'demo', sessionsDays: 30 }] },
    },
  }),
);
beforeAll(async () => {
  if (site.chromium === undefined) return;
  const chat = createClient(ChatService, site.transport());
  await askWhole(chat, { question, createSession: true }, as('reader'));
});

const callerOf = async (key: string) =>
  (await createClient(CallerService, site.transport()).getCaller({}, as(key))).caller;

test.runIf(site.chromium)('a key is made with limits, works, is rotated with an overlap, and is revoked', async () => {
  const page = await site.pages.open('#/administration/keys/new', { key: 'administrator' });
  await page.getByTestId('key-name').fill('shop-bot');
  await page.getByTestId('key-groups').fill('staff');
  await page.getByTestId('key-addresses').fill('127.0.0.0/8 ::1');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('key-make').click();
  const secret = (await page.getByTestId('secret-text').textContent()) ?? '';
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(secret).toMatch(/^rmk_/);
  await expect
    .poll(() => callerOf(secret).catch(() => undefined), poll)
    .toMatchObject({
      user: 'service/shop-bot',
      groups: ['staff'],
      roles: [Role.READER],
    });

  await page.goto(`${site.mesh.edgeUrl}/#/administration/keys`);
  await page.getByRole('row', { name: 'shop-bot' }).click();
  await page.getByTestId('rotate-key').click();
  await page.getByTestId('rotate-key-confirm').click();
  const next = (await page.getByTestId('secret-text').textContent()) ?? '';
  expect(next).not.toBe(secret);
  expect(await page.content()).not.toContain(secret);
  await expect
    .poll(
      () =>
        callerOf(next).then(
          () => true,
          () => false,
        ),
      poll,
    )
    .toBe(true);
  expect(await callerOf(secret)).toMatchObject({ user: 'service/shop-bot' }); // in the overlap
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('revoke-key').click();
  await page.getByTestId('revoke-key-confirm').click();
  await page.getByText('Revoked').first().waitFor();
  await expect
    .poll(
      () =>
        callerOf(next).then(
          () => true,
          () => false,
        ),
      poll,
    )
    .toBe(false);
});

test.runIf(site.chromium)(
  'a limit is set, raised until a time, and the raise is ended; what applies is shown with its source',
  async () => {
    const page = await site.pages.open('#/administration/limits', { key: 'finance' });
    await page.getByTestId('limit-name').fill('reader');
    await page.getByTestId('edit-limit').first().click();
    await page.getByTestId('amount-cost_micros_per_day').fill('2.5');
    await page.getByTestId('amount-requests_per_minute').fill('60');
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('edit-limit-confirm').click();
    const row = page.getByTestId('limits').getByRole('row', { name: 'reader' });
    await row.getByText('Set here').waitFor();
    await row.getByTestId('raise-limit').click();
    expect(await page.getByTestId('amount-cost_micros_per_day').inputValue()).toBe('2.5');
    await page.getByTestId('amount-cost_micros_per_day').fill('10');
    await page.getByTestId('raise-reason').fill('sale');
    await page.getByTestId('raise-limit-confirm').click();
    await row.getByText('Raised until').waitFor();
    await row.getByText('Money a day: 10.00').waitFor();
    await row.getByText('10.00 left').waitFor();
    await row.getByText('Raised here').waitFor();
    await row.getByText('sale').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await row.getByTestId('end-raise').click();
    await page.getByTestId('end-raise-confirm').click();
    await row.getByTestId('remove-limit').waitFor();
    expect(await page.getByTestId('limits').getByRole('row', { name: 'demo' }).getByTestId('edit-limit').count()).toBe(
      0,
    );
  },
);

test.runIf(site.chromium)('a right that its maker lacks is refused, and the page says why', async () => {
  const page = await site.pages.open('#/administration/keys/new', { key: 'administrator' });
  await page.getByTestId('key-name').fill('too-much');
  await page.getByTestId('key-groups').fill('board');
  await page.getByTestId('key-make').click();
  await page.getByTestId('failure').getByText('board').waitFor();
  expect(await page.getByTestId(`key-roles-${Role.AUDITOR}`).count()).toBe(0);
});

test.runIf(site.chromium)(
  'a platform administrator lists a tenant, opens break-glass access to it, and disables it',
  async () => {
    const page = await site.pages.open('#/administration/tenants', { key: 'platform' });
    await page.getByTestId('new-tenant').click();
    await page.getByTestId('tenant-name').fill('bolt');
    await page.getByTestId('new-tenant-confirm').click();
    await page.getByTestId('tenants').getByText('bolt').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.goto(`${site.mesh.edgeUrl}/#/administration/keys/new`);
    await page.getByTestId('key-name').fill('help-bolt');
    await page.getByTestId('key-of-tenant').fill('bolt');
    await page.getByTestId('key-reason').fill('their search returns nothing, case 41');
    await page.getByTestId('key-make').click();
    const secret = (await page.getByTestId('secret-text').textContent()) ?? '';
    await expect.poll(() => callerOf(secret).catch(() => undefined), poll).toMatchObject({ tenant: 'bolt' });
    await page.goto(`${site.mesh.edgeUrl}/#/administration/keys/of/bolt`);
    await page.getByTestId('keys').getByText('Break-glass access').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.goto(`${site.mesh.edgeUrl}/#/administration/tenants`);
    await page.getByTestId('disable-tenant').click();
    await page.getByTestId('disable-tenant-confirm').click();
    await page.getByTestId('enable-tenant').waitFor();
    await expect
      .poll(
        () =>
          callerOf(secret).then(
            () => true,
            () => false,
          ),
        poll,
      )
      .toBe(false);
  },
);

test.runIf(site.chromium)(
  'an administrator of the installation sees how it does, and what is configured by whom',
  async () => {
    const page = await site.pages.open('#/administration/health', { key: 'platform' });
    await page.getByTestId('verdict').getByText('Every service can serve').waitFor();
    await page.getByTestId('processes').getByText('retrieval').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.goto(`${site.mesh.edgeUrl}/#/administration/configuration`);
    await page.getByTestId('setting-search').fill('sessions_days');
    const row = page.getByRole('row', { name: 'privacy.retention[0].sessions_days' });
    await row.getByText('File').waitFor();
    expect(await row.textContent()).toContain('30');
    await page.getByTestId('setting-search').fill('api_keys sha256');
    await page.getByTestId('setting-count').getByText('6 settings').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    const { text } = await site.pages.seenBy('platform', '#/administration/configuration');
    expect(text).toContain('rerank_candidates');
    for (const key of Object.keys(roles)) expect(text, key).not.toContain(hash('sha256', key));
    for (const key of ['administrator', 'auditor', 'operator', 'reader']) {
      const seen = await site.pages.seenBy(key, '#/administration/configuration');
      expect(seen.tabs, key).not.toContain('Configuration');
      expect(seen.text, key).not.toContain('rerank_candidates');
    }
  },
);

test.runIf(site.chromium)('an auditor finds an answer and its sources, verifies the chain, and saves it', async () => {
  const page = await site.pages.open('#/administration/audit', { key: 'auditor' });
  await page.getByTestId('entries').getByText(question).waitFor();
  await page.getByTestId('verify-chain').click();
  await page.getByTestId('chain').getByText('intact').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  const download = page.waitForEvent('download');
  await page.getByTestId('export-audit').click();
  const lines = (await readFile(await (await download).path(), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).entry.record.question)).toContain(question);
  await page.getByTestId('audit-user').fill('no such user');
  await page.getByTestId('empty').waitFor();
  await page.getByTestId('audit-user').fill('reader');
  await page.getByRole('row', { name: question }).click();
  await page.getByTestId('entry').getByText('Previous hash').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
});

test.runIf(site.chromium)('a hold keeps a user, and without it an erasure ends with a receipt', async () => {
  const chat = createClient(ChatService, site.transport());
  await askWhole(chat, { question: 'Hello?', createSession: true }, as('administrator'));
  const page = await site.pages.open('#/administration/privacy', { key: 'operator' });
  await page.getByText('30 days').waitFor();
  await page.getByTestId('new-hold').click();
  await page.getByTestId('hold-user').fill('administrator');
  await page.getByTestId('hold-reason').fill('case 7');
  await page.getByTestId('new-hold-confirm').click();
  await page.getByTestId('holds').getByText('case 7').waitFor();
  const erase = async () => {
    await page.getByTestId('erase-user').click();
    await page.getByTestId('erase-user-name').fill('administrator');
    await page.getByTestId('erase-user-confirm').click();
  };
  await erase();
  await page.getByTestId('failure').getByText('legal hold').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.getByTestId('release-hold').click();
  await page.getByTestId('release-hold-confirm').click();
  await page.getByText('Nothing is held.').waitFor();
  await erase();
  await page.getByTestId('erasures').getByText('chat.sessions').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
});

test.runIf(site.chromium)('each role sees its views, and what it may not see is in no response', async () => {
  expect((await site.pages.seenBy('auditor', '#/administration/audit')).text).toContain('zebra');
  expect(await site.pages.seenBy('administrator', '#/administration/audit')).toMatchObject({
    tabs: ['API keys', 'Limits and budgets'],
  });
  expect((await site.pages.seenBy('platform', '#/administration')).tabs).toEqual([
    ...['API keys', 'Tenants', 'Limits and budgets', 'Health', 'Configuration'],
  ]);
  for (const key of ['administrator', 'platform', 'operator', 'reader']) {
    expect((await site.pages.seenBy(key, '#/administration/audit')).text, key).not.toContain('zebra');
  }
  // Changes of keys are entries of the audit, so an auditor knows their names.
  for (const key of ['operator', 'reader']) {
    const { tabs, text } = await site.pages.seenBy(key, '#/administration/keys');
    expect(tabs, key).not.toContain('API keys');
    expect(text, key).not.toContain('shop-bot');
  }
});
