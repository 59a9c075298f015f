import { createClient } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { askWhole, startWholeMesh } from '../testing/whole-mesh.ts';
import { accessibilityFaults, timeout } from './pages.ts';
import { as, keysOf, useSite } from './site.ts';

// Curated answers in a real browser, over the whole mesh.

const keys = {
  operator: [Role.READER, Role.OPERATOR],
  administrator: [Role.READER, Role.ADMINISTRATOR],
  reader: [Role.READER],
};

const site = useSite('curated answers', 2, () => startWholeMesh({ config: { edge: { apiKeys: keysOf(keys) } } }));

const question = 'Do you sell gift wrap for surfboards?';
const textOf = async () =>
  (await askWhole(createClient(ChatService, site.transport()), { question }, as('reader'))).text;

test.runIf(site.chromium)('a curated answer is written, changed and withdrawn, and its versions stay', async () => {
  const page = await site.pages.open('#/administration/curated', { key: 'operator' });
  await page.getByText('No curated answers yet').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('new-curated').click();
  await page.getByTestId('wordings').fill(question);
  await page.getByTestId('draft-answer').fill('We wrap surfboards for 9 euros.');
  await page.getByTestId('publish-answer').click();
  await page.getByTestId('curated-versions').getByText('We wrap surfboards for 9 euros.').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await expect.poll(textOf, { timeout, interval: 200 }).toContain('9 euros');

  await page.getByTestId('draft-answer').fill('We wrap surfboards free of charge.');
  await page.getByTestId('publish-answer').click();
  await page.getByTestId('curated-versions').getByText('free of charge').waitFor();
  await expect.poll(textOf, { timeout, interval: 200 }).toContain('free of charge');

  await page.goto(`${site.mesh.edgeUrl}/#/administration/curated`);
  await page.getByRole('row', { name: question }).click();
  await page.getByTestId('withdraw-curated').click();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('withdraw-curated-confirm').click();
  await page.getByTestId('curated-versions').getByText('Withdrawn').waitFor();
  expect(await page.getByTestId('curated-versions').getByRole('row').count()).toBe(4);
  await expect.poll(textOf, { timeout, interval: 200 }).not.toContain('free of charge');
});

test.runIf(site.chromium)('only operators see them', async () => {
  const { answer } = await createClient(CuratedAnswerService, site.transport()).putCuratedAnswer(
    { corpus: 'help', questions: ['What is the pelican code?'], answer: 'FEATHER9' },
    as('operator'),
  );
  expect((await site.pages.seenBy('operator', '#/administration/curated')).text).toContain('FEATHER9');
  for (const key of ['administrator', 'reader']) {
    for (const address of ['#/administration/curated', `#/administration/curated/answer/${answer?.id}`]) {
      const seen = await site.pages.seenBy(key, address);
      expect(seen.tabs, key).not.toContain('Curated answers');
      expect(seen.text, key).not.toContain('FEATHER9');
    }
  }
});
