import { readFile } from 'node:fs/promises';
import { createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type ScriptedModel, startScriptedModel } from '../testing/scripted-model.ts';
import { askWhole, startWholeMesh } from '../testing/whole-mesh.ts';
import { ingestLines } from './ingest.ts';
import { accessibilityFaults, timeout } from './pages.ts';
import { as, keysOf, useSite } from './site.ts';

// Models and cost, and evaluation, in a real browser, over the whole mesh with the sample.

const roles = {
  finance: [Role.READER, Role.AUDITOR],
  operator: [Role.READER, Role.OPERATOR],
  both: [Role.READER, Role.EDITOR, Role.OPERATOR, Role.AUDITOR, Role.MODEL_USER],
  reader: [Role.READER],
};
let model: ScriptedModel;

afterAll(async () => {
  await model?.[Symbol.asyncDispose]();
});
const site = useSite('cost and evaluation', 9, async () => {
  model = await startScriptedModel();
  return startWholeMesh({
    config: {
      edge: { apiKeys: keysOf(roles, ['staff', 'merchant']) },
      llmGateway: {
        models: [
          { adapter: 'extractive', name: 'quotes' },
          { adapter: 'openai-compatible', name: 'writer', settings: { base_url: model.url, model: 'scripted' } },
        ],
        prices: { version: '2026-12', currency: 'USD', prices: [{ model: 'writer', prompt: 10, completion: 30 }] },
        limits: { defaultTenant: { requestsPerMinute: 1000, costMicrosPerMonth: 5_000_000 } },
      },
      evaluation: { nightly: { suites: [{ tenant: 'demo', dataSet: 'help' }] } },
    } as never,
  });
});
beforeAll(async () => {
  if (site.chromium === undefined) return;
  const chat = createClient(ChatService, site.transport());
  const question = 'How long do I have to send back unwashed bedding?';
  for (let again = 0; again < 2; again++) {
    const { done } = await askWhole(chat, { question }, as('both'));
    await chat.submitFeedback({ answerId: done.answerId, rating: Rating.UP }, as('both'));
  }
  const written = await askWhole(chat, { question, model: 'writer' }, as('both'));
  await chat.submitFeedback({ answerId: written.done.answerId, rating: Rating.DOWN }, as('both'));
  // The ledger has a call of a model after its answer, and a page does not ask again.
  const ledger = createClient(AuditService, site.transport());
  const costs = async () => (await ledger.getUsageReport({}, as('both'))).rows.map(({ costMicros }) => costMicros > 0n);
  await vi.waitFor(async () => expect(await costs()).toContain(true), { timeout, interval: 100 });
});

test.runIf(site.chromium)('usage is shown by day and by name, and saved as CSV and FOCUS', async () => {
  const page = await site.pages.open('#/cost/usage/30/user/tokens', { key: 'finance' });
  await page.getByTestId('usage-table').getByText('both').first().waitFor();
  await page.getByTestId('usage-totals').getByText('$').first().waitFor();
  await page.getByTestId('usage-totals').getByText('33.3% from the cache').waitFor();
  // The answer from the cache is a quotation, which has no price.
  await page.getByTestId('usage-saved').getByText('No price', { exact: true }).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  // The days by keyboard: the last one is today, when both questions were asked.
  const chart = page.getByRole('application', { name: 'Tokens by day' });
  await chart.focus();
  await page.keyboard.press('ArrowRight');
  const day = page.getByTestId('chart-tip');
  await day.getByText(': 0').waitFor();
  for (let at = 0; at < 30; at++) await page.keyboard.press('ArrowRight');
  await day.getByText('both').first().waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'As a table' }).click();
  await page.getByTestId('chart-table').getByRole('row').nth(30).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  for (const [button, header] of [
    ['export-csv', 'day,model,user'],
    ['export-focus', 'BilledCost,BillingAccountId'],
  ] as const) {
    const download = page.waitForEvent('download');
    await page.getByTestId(button).click();
    expect(await readFile(await (await download).path(), 'utf8')).toContain(header);
  }
  await page.getByTestId('usage-dimension').getByRole('button').click();
  await page.getByRole('option', { name: 'Purpose', exact: true }).click();
  await page.getByTestId('usage-table').getByText('Answers').first().waitFor();
});

test.runIf(site.chromium)("budgets say what is left, and a provider's file is compared", async () => {
  const page = await site.pages.open('#/cost/limits', { key: 'finance' });
  await page.getByTestId('limits').getByText('Money a month').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.goto(`${site.mesh.edgeUrl}/#/cost/reconcile`);
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('choose-csv').click();
  const day = new Date().toISOString().slice(0, 10);
  const buffer = Buffer.from(`date,model,cost\n${day},writer,99\n`);
  await (await chooser).setFiles([{ name: 'bill.csv', mimeType: 'text/csv', buffer }]);
  await page.getByTestId('compare').click();
  await page.getByTestId('differences').getByText('99.00').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
});

test.runIf(site.chromium)('an operator sees the health and prices of models', async () => {
  const page = await site.pages.open('#/cost/targets', { key: 'operator' });
  await page.getByTestId('targets').getByText('Healthy').first().waitFor();
  await page.getByTestId('targets').getByText('$10.00 in, $30.00 out').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
});

test.runIf(site.chromium)(
  'questions of production become a set, and two ways to search are compared on it',
  async () => {
    const page = await site.pages.open('#/evaluation/sets', { key: 'both' });
    await page.getByTestId('set-name').fill('help');
    await page.getByTestId('load-questions').click();
    await page.getByText('unwashed bedding').click();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('add-questions').click();
    await page.getByTestId('data-sets').getByText('help').waitFor();
    await page.goto(`${site.mesh.edgeUrl}/#/evaluation/compare`);
    await page.getByTestId('compare-run').click();
    await page.getByTestId('compared').getByText('nDCG@10').waitFor({ timeout });
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.goto(`${site.mesh.edgeUrl}/#/evaluation/compare`);
    await page.getByTestId('runs').getByText('help').first().waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.goto(`${site.mesh.edgeUrl}/#/evaluation/suites`);
    await page.getByTestId('suite').getByText('Has not run yet').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  },
);

test.runIf(site.chromium)('a comparison runs on when its page is left, and is cancelled from it', async () => {
  const evaluation = createClient(EvaluationService, site.transport());
  const add = async (dataSet: string, batch = 0) => {
    const queries = Array.from({ length: 1000 }, (_, at) => ({
      queryId: `${batch} ${at}`,
      text: 'send back unwashed bedding',
      judgements: [{ documentId: 'returns.md', grade: 1 }],
    }));
    await evaluation.addQueries({ dataSet, queries }, as('both'));
  };
  /** Starts a comparison, and leaves its page; returns its address. */
  const startAndLeave = async (dataSet: string) => {
    const page = await site.pages.open('#/evaluation/compare', { key: 'both' });
    await page.getByTestId('compare-set').getByRole('button').click();
    await page.getByRole('option', { name: dataSet, exact: true }).click();
    await page.getByTestId('compare-run').click();
    await page.getByTestId('comparison').waitFor();
    const address = new URL(page.url()).hash;
    await page.context().close();
    return address;
  };
  await add('many');
  for (let batch = 0; batch < 5; batch++) await add('endless', batch);
  await startAndLeave('many');
  let page = await site.pages.open('#/evaluation/compare', { key: 'both' });
  const row = page.getByTestId('comparisons').getByRole('row', { name: 'many' });
  await row.getByText('2,000 of 2,000').waitFor({ timeout });
  expect(await accessibilityFaults(page)).toEqual([]);
  await row.getByRole('link').click();
  await page.getByTestId('compared').getByText('nDCG@10').waitFor();

  page = await site.pages.open(await startAndLeave('endless'), { key: 'both' });
  await page.getByTestId('cancel-comparison').click();
  await page.getByTestId('cancel-comparison-confirm').click();
  await page.getByTestId('comparison').getByText('Cancelled').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
});

test.runIf(site.chromium)(
  'other suites run from the page, and runs of each suite have figures of their own',
  async () => {
    const transport = site.transport();
    const queries = [
      { queryId: 'hello', text: 'Hello!', act: { act: ConversationAct.GREETING } },
      { queryId: 'bedding', text: 'Can I send back unwashed bedding?', act: { act: ConversationAct.COMPLAINT } },
    ];
    const options = as('both');
    await createClient(EvaluationService, transport).addQueries({ dataSet: 'acts', queries }, options);
    const page = await site.pages.open('#/evaluation/compare', { key: 'both' });
    const choose = async (field: string, name: string) => {
      await page.getByTestId(field).getByRole('button').click();
      await page.getByRole('option', { name, exact: true }).click();
    };
    await choose('compare-set', 'acts');
    await choose('compare-suite', 'Router');
    await page.getByTestId('compare-run').click();
    await page.getByTestId('compared').getByText('Right act').first().waitFor({ timeout });
    await page.getByTestId('not-right').getByText('unwashed bedding').waitFor();
    expect(await page.getByTestId('not-right').getByText('Hello!').count()).toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.goto(`${site.mesh.edgeUrl}/#/evaluation/compare`);
    const ofRouter = page.getByTestId('runs').filter({ hasText: 'Right act' });
    await ofRouter.getByText('acts').waitFor();
    expect(await ofRouter.getByText('nDCG@10').count()).toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);
  },
);

test.runIf(site.chromium)(
  'questions whose answers were rated become a set, with the documents that a person names',
  async () => {
    const page = await site.pages.open('#/evaluation/sets', { key: 'both' });
    const take = async (source: string, label: string) => {
      await page.getByTestId('question-source').getByRole('button').click();
      await page.getByRole('option', { name: source, exact: true }).click();
      await page.getByTestId('load-questions').click();
      await page.getByTestId('production').getByText(label).click();
    };
    await page.getByTestId('set-name').fill('rated');
    await take('Rated up', 'unwashed bedding? → ');
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('add-questions').click();
    await page.getByTestId('data-sets').getByText('rated').waitFor();
    await take('Rated down', 'unwashed bedding?');
    expect(await page.getByTestId('add-questions').isDisabled()).toBe(true);
    await page.getByTestId('right-documents').fill('en/returns.md\nen/bedding.md');
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('add-questions').click();
    await page.getByTestId('data-sets').getByRole('row', { name: 'rated' }).getByText('2').waitFor();
  },
);

test.runIf(site.chromium)('any two versions are compared', async () => {
  const transport = site.transport();
  for (const name of ['1', '2', '3']) {
    const documents = [{ id: `hours-${name}`, text: `Opening hours ${name}: the shop in the harbour opens at nine.` }];
    await ingestLines(createClient(IndexerService, transport), 'hours', documents, as('both'));
  }
  const queries = [
    { queryId: 'a', text: 'When does the shop open?', judgements: [{ documentId: 'hours-2', grade: 1 }] },
  ];
  await createClient(EvaluationService, transport).addQueries({ dataSet: 'hours', queries }, as('both'));
  const page = await site.pages.open('#/evaluation/compare', { key: 'both' });
  const choose = async (field: string, option: string) => {
    await page.getByTestId(field).getByRole('button').click();
    await page.getByRole('option', { name: option, exact: true }).click();
  };
  await choose('compare-set', 'hours');
  await choose('compare-corpus', 'hours');
  await choose('compare-change', 'Another version');
  await page.getByTestId('compare-first-version').fill('2');
  expect(await page.getByTestId('compare-run').isDisabled()).toBe(true);
  await page.getByTestId('compare-version').fill('1');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('compare-run').click();
  // Version 1 lacks the document that version 2 finds.
  const row = page.getByTestId('differing').getByRole('row', { name: 'When does the shop open?' });
  await row.waitFor({ timeout });
  await page.getByRole('columnheader', { name: 'Version 2' }).waitFor();
  await page.getByText('Version 2: gain over the change').waitFor();
  expect(await row.getByText('0.000').count()).toBe(1);
});

test.runIf(site.chromium)('each role sees its views, and what it may not see is in no response', async () => {
  const finance = await site.pages.seenBy('finance', '#/cost/usage');
  expect(finance.tabs).toEqual(['Usage', 'Limits and budgets', 'Reconciliation']);
  expect(finance.text).toContain('promptTokens');
  const operator = await site.pages.seenBy('operator', '#/cost/usage');
  expect(operator.tabs).toEqual(['Models']);
  expect(operator.text).not.toContain('promptTokens');
  const reader = await site.pages.seenBy('reader', '#/cost/usage');
  expect(reader.tabs).toEqual([]);
  expect(reader.text).not.toContain('quotes');
  expect((await site.pages.seenBy('finance', '#/evaluation')).tabs).toEqual([]);
});
