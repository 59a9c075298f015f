import { createClient } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { AuditService, ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';
import { accessibilityFaults } from './pages.ts';
import { as, keysOf, useSite } from './site.ts';

// The search lab in a real browser, over the whole mesh.

const keys = {
  operator: [Role.READER, Role.EDITOR, Role.OPERATOR],
  auditor: [Role.AUDITOR],
  reader: [Role.READER],
};

const site = useSite('the search lab', 3, () => startWholeMesh({ config: { edge: { apiKeys: keysOf(keys) } } }));

test.runIf(site.chromium)(
  '"Why?" of an answer shows its passages at every stage, at the versions it was made from',
  async () => {
    const page = await site.pages.open('#', { key: 'operator' });
    await page.getByTestId('question').fill('How long do I have to send back unwashed bedding?');
    await page.keyboard.press('Enter');
    const turn = page.getByTestId('turn').and(page.locator('[data-phase="done"]'));
    await turn.waitFor();
    await turn.getByTestId('why').click();
    const rows = page.getByTestId('candidate');
    await rows.first().waitFor();
    expect(page.url()).toContain('v%3Dshop');
    expect(await page.locator('[data-testid="candidate"][data-result="true"]').count()).toBeGreaterThanOrEqual(8);
    expect(await accessibilityFaults(page)).toEqual([]);
    await rows.first().getByTestId('candidate-why').click();
    await page.locator(`[data-testid="verdict"][data-verdict="${Verdict.IN_RESULT}"]`).waitFor();
    await page.getByTestId('path').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.reload();
    await page.locator(`[data-testid="verdict"][data-verdict="${Verdict.IN_RESULT}"]`).waitFor();
  },
);

test.runIf(site.chromium)(
  'a view as a customer shows what the customer finds, why a document is not there, and is in the audit',
  async () => {
    const page = await site.pages.open('#/lab', { key: 'operator' });
    await page.getByTestId('lab-question').fill('goodwill refund limit of an L1 agent');
    await page.getByTestId('lab-run').click();
    await page.getByTestId('candidates').waitFor();
    const internal = page.getByTestId('candidate').getByRole('link', { name: 'Refund approval limits (internal)' });
    const href = (await internal.first().getAttribute('href')) ?? '';
    expect(href).toContain('#/documents/shop/document/');
    await page.getByTestId('lab-as-open').click();
    await page.getByTestId('lab-user').fill('carl');
    await page.getByTestId('lab-reason').fill('ticket 7');
    await page.getByTestId('lab-run').click();
    await page.getByTestId('viewed-as').waitFor();
    expect(await internal.count()).toBe(0);
    const documentId = decodeURIComponent(href.split('/').at(-1) ?? '');
    await page.getByTestId('why-search').fill(documentId);
    await page.getByTestId('why-offers').getByRole('button').first().click();
    await page.locator(`[data-testid="verdict"][data-verdict="${Verdict.NO_ACCESS}"]`).waitFor();
    await page.getByTestId('remedy-grant').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    const audit = createClient(AuditService, site.transport());
    const looks = [];
    const options = as('auditor');
    for await (const { entry } of audit.queryAudit({ onlyChanges: true }, options)) looks.push(entry?.record?.change);
    expect(looks.every((look) => look?.action === ChangeAction.VIEWED_AS && look.resource === 'carl')).toBe(true);
    expect(looks.map((look) => look?.reason)).toContain('ticket 7');
  },
);

test.runIf(site.chromium)('a reader sees no lab, and calls none of its rpcs', async () => {
  const page = await site.pages.open('#/lab/q%3Dbedding', { key: 'reader' });
  const calls: string[] = [];
  page.on('request', (request) => calls.push(new URL(request.url()).pathname));
  await page.reload();
  await page.getByTestId('empty').waitFor();
  expect(await page.getByTestId('section-lab').count()).toBe(0);
  expect(calls.filter((path) => path.includes('SearchLab'))).toEqual([]);
});
