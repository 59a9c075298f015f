import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node';
import { afterAll, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';
import { accessibilityFaults } from './pages.ts';
import { keysOf, useSite } from './site.ts';

// Conversations and the queue for persons in a real browser, over the whole mesh.

const keys = {
  customer: [Role.READER],
  operator: [Role.READER, Role.OPERATOR],
  auditor: [Role.READER, Role.OPERATOR, Role.AUDITOR],
};
const traceUrl = 'https://traces.example.com/trace/{trace_id}';
// Answers have the id of a trace only if spans are recorded.
const telemetry = startTelemetry(undefined, 'test', { exporter: new InMemorySpanExporter() });

// Before the site's own, so that it runs after the mesh has ended.
afterAll(() => telemetry.close());
const site = useSite('conversations', 2, () =>
  startWholeMesh({ tracing: true, config: { edge: { apiKeys: keysOf(keys), traceUrl } } }),
);

test.runIf(site.chromium)(
  'who waits for a person is accepted, answered and returned, and reads the reply',
  async () => {
    const customer = await site.pages.open('#', { key: 'customer' });
    const ask = async (question: string) => {
      const before = await customer.getByTestId('turn').count();
      await customer.getByTestId('question').fill(question);
      await customer.keyboard.press('Enter');
      await customer.getByTestId('turn').nth(before).and(customer.locator('[data-phase="done"]')).waitFor();
    };
    await ask('How long do I have to send back unwashed bedding?');
    await ask('I want to talk to a human agent.');

    const desk = await site.pages.open('#/conversations/queue', { key: 'operator' });
    await desk.getByRole('row', { name: 'How long do I have' }).click();
    await desk.getByTestId('desk-turn').nth(1).waitFor();
    await desk.getByTestId('made').first().click();
    await desk.getByTestId('waterfall').first().waitFor();
    expect(await accessibilityFaults(desk)).toEqual([]);
    await desk.getByTestId('accept').click();
    await desk.getByTestId('desk-reply').fill('Washed bedding can come back as well, if it has a fault.');
    await desk.getByTestId('desk-send').click();
    await desk.locator('[data-testid="desk-turn"][data-person="true"]').waitFor();
    await desk.getByTestId('return').click();
    await desk.getByTestId('return').waitFor({ state: 'detached' });

    await customer.reload();
    await customer.getByText('if it has a fault').waitFor();

    // From an answer to its trace, and for an auditor to its entry.
    expect(await desk.getByTestId('audit-of-answer').count()).toBe(0);
    const href = await desk.getByTestId('trace-of-answer').first().getAttribute('href');
    expect(href).toMatch(/^https:\/\/traces\.example\.com\/trace\/[0-9a-f]{32}$/);
    const audited = await site.pages.open(`#${new URL(desk.url()).hash.slice(1)}`, { key: 'auditor' });
    await audited.getByTestId('made').first().click();
    await audited.getByTestId('audit-of-answer').first().click();
    await audited.getByTestId('entries').getByText('How long do I have').waitFor();
    expect(await audited.getByTestId('entries').getByRole('row').count()).toBe(2);
    expect(await accessibilityFaults(audited)).toEqual([]);
  },
);

test.runIf(site.chromium)(
  'who is no operator has no such section, and no rpc gives the sessions of others',
  async () => {
    const page = await site.pages.open('#', { key: 'customer' });
    const replies: number[] = [];
    page.on('response', (response) => {
      if (response.url().includes('ConversationDesk')) replies.push(response.status());
    });
    await page.getByTestId('question').waitFor();
    expect(await page.getByTestId('section-conversations').count()).toBe(0);
    await page.goto(`${site.mesh.edgeUrl}/#/conversations`);
    await page.waitForLoadState('networkidle');
    expect(replies.filter((status) => status === 200)).toEqual([]);
  },
);
