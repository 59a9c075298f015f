import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DescService, MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ApiKeyKind, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { ChatService, FeedbackReason, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { allRoles } from '#kit/testing/mesh.ts';
import { askWhole } from '../testing/whole-mesh.ts';

// A month in the life of the sample, for pictures: who asked what, what got no good answer, what waits for a decision.

const dayMs = 86_400_000;
const days = 28;
const gold = new URL('../../../deployments/sample-gold/', import.meta.url);

/** Users by the key of each, which is the name. `lead` may do everything. */
const roles: Record<string, Role[]> = {
  lead: allRoles.filter((role) => role !== Role.SERVICE),
  operator: [Role.READER, Role.OPERATOR],
  editor: [Role.READER, Role.EDITOR],
  auditor: [Role.READER, Role.AUDITOR],
  administrator: [Role.READER, Role.ADMINISTRATOR],
  ...Object.fromEntries(
    ['anna', 'ben', 'chen', 'dora', 'li.wei'].map((name) => [name, [Role.READER, Role.MODEL_USER]]),
  ),
};
const askers = ['anna', 'ben', 'chen', 'dora', 'li.wei'];

/** What the sample does not answer, in the words of several users. */
const gaps = [
  ['Do you rent out telescopes?', 'do you rent telescopes out', 'can I rent a telescope for a week'],
  ['Is there a discount for students?', 'student discount', 'discount for students with an id card?'],
  ['你们有实体店吗？', '有线下实体店可以看样品吗'],
  ['Can I pay with Bitcoin?', 'do you take bitcoin', 'pay by bitcoin or other crypto'],
  ['Do you engrave names on lamps?', 'can a name be engraved on a lamp'],
];

/** The configuration of a mesh to seed; `folder`: what its source may read, `modelUrl`: a model that writes, which is paid for. */
export function seedConfig(folder: string, modelUrl: string): MessageInitShape<typeof ConfigSchema> {
  return {
    edge: {
      apiKeys: Object.entries(roles).map(([id, granted]) => ({
        ...{ id, sha256: hash('sha256', id), tenant: 'demo', user: id, groups: ['staff', 'merchant'], roles: granted },
      })),
      traceUrl: 'https://traces.example.com/trace/{trace_id}',
    },
    indexer: { sources: { allowedFolders: [folder] } },
    llmGateway: {
      models: [
        { adapter: 'extractive', name: 'quotes' },
        { adapter: 'openai-compatible', name: 'writer', settings: { base_url: modelUrl, model: 'scripted' } },
      ],
      prices: {
        version: '2026-12',
        currency: 'USD',
        prices: [{ model: 'writer', prompt: 3, completion: 15 }],
      },
      limits: { defaultTenant: { requestsPerMinute: 100_000n, costMicrosPerMonth: 5_000_000n } },
    },
    privacy: { retention: [{ tenant: 'demo', sessionsDays: 90, feedbackDays: 365 }] },
    evaluation: {
      nightly: {
        suites: [
          { tenant: 'demo', dataSet: 'sample-gold' },
          { tenant: 'demo', dataSet: 'acts', suite: SuiteKind.ROUTER },
        ],
      },
    },
  };
}

/** A clock that a seed moves: days before now. */
export function createSeedClock(): { now: () => number; setDaysAgo(count: number): void } {
  let backMs = days * dayMs;
  return {
    now: () => Date.now() - backMs,
    setDaysAgo(count) {
      backMs = count * dayMs;
    },
  };
}

/** Fills the tenant "demo" of a mesh with the sample, through the edge. */
export async function seed(edgeUrl: string, folder: string, clock: ReturnType<typeof createSeedClock>): Promise<void> {
  const transport = createConnectTransport({ baseUrl: edgeUrl, httpVersion: '2' });
  const client = <Desc extends DescService>(contract: Desc) => createClient(contract, transport);
  await seedQuestions(client(ChatService), edgeUrl, clock);
  clock.setDaysAgo(0);
  await seedCurated(client(CuratedAnswerService));
  await seedAccounts(client);
  await seedEvaluation(client(EvaluationService));
  await seedHeldVersion(client(IndexerService));
  await seedSource(client(SourceService), folder);
  const privacy = client(PrivacyService);
  await privacy.putLegalHold({ user: 'ben', reason: 'Claim 2026/118' }, as('lead'));
  await privacy.eraseUser({ user: 'former.employee', erasureId: 'request-2026-31' }, as('lead'));
}

const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

const goldQuestions = () =>
  readFileSync(new URL('queries.jsonl', gold), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { id: string; text: string });

/** Calls of the model by other applications in a day, at most. */
const callsMax = 12;

async function seedCalls(edgeUrl: string, ago: number) {
  for (let at = 0; at < callsMax - (ago % 7); at++) {
    const user = askers[(at + ago) % askers.length] as string;
    const body = { model: 'writer', messages: [{ role: 'user', content: `Write a reply to letter ${ago}-${at}.` }] };
    const reply = await fetch(`${edgeUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...as(user).headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`the model was not called: ${await reply.text()}`);
    await reply.text();
  }
}

async function seedQuestions(
  chat: Client<typeof ChatService>,
  edgeUrl: string,
  clock: ReturnType<typeof createSeedClock>,
) {
  const questions = goldQuestions();
  let asked = 0;
  for (let ago = days; ago >= 0; ago--) {
    clock.setDaysAgo(ago);
    await seedCalls(edgeUrl, ago);
    // More each week, fewer at weekends.
    const count = Math.round((4 + (days - ago) / 4) * (ago % 7 < 2 ? 0.4 : 1));
    for (let at = 0; at < count; at++, asked++) {
      const user = as(askers[(asked * 7 + ago) % askers.length] as string);
      const gap = gaps[(asked >> 3) % gaps.length] as string[];
      const isGap = asked % 8 === 0;
      const question = isGap
        ? (gap[ago % gap.length] as string)
        : (questions[(asked * 5) % questions.length]?.text ?? '');
      const first = await askWhole(chat, { question, createSession: true }, user);
      if (asked % 11 === 3) {
        const rating = asked % 2 === 0 ? Rating.UP : Rating.DOWN;
        const reasons = rating === Rating.DOWN ? [FeedbackReason.INCOMPLETE] : [];
        await chat.submitFeedback({ answerId: startedOf(first).answerId, rating, reasons }, user);
      }
      const follow =
        asked % 40 === 24 && ago < 5
          ? 'I want to talk to a human agent.'
          : 'And does that hold for clearance articles?';
      // What one user asks, another one asks on the same day.
      if (asked % 4 === 1) await askWhole(chat, { question, createSession: true }, as(askers[ago % 3] as string));
      if (asked % 20 === 4) await askWhole(chat, { question: follow, sessionId: startedOf(first).sessionId }, user);
    }
  }
}

function startedOf(answer: Awaited<ReturnType<typeof askWhole>>) {
  const started = answer.events.find(({ event }) => event.case === 'started')?.event;
  if (started?.case !== 'started') throw new Error('an answer has not started');
  return started.value;
}

async function seedCurated(curated: Client<typeof CuratedAnswerService>) {
  const answers = [
    [['Do you deliver to Norway?', 'delivery to Norway'], 'Not yet: we deliver to Germany, Austria and Switzerland.'],
    [['圣诞节当天发货吗？'], '12 月 25 日和 26 日不发货，27 日起恢复。'],
  ] as const;
  for (const [questions, answer] of answers) {
    await curated.putCuratedAnswer({ corpus: 'shop', questions: [...questions], answer }, as('operator'));
  }
}

async function seedAccounts(client: <Desc extends DescService>(contract: Desc) => Client<Desc>) {
  const tenants = client(TenantService);
  for (const [tenant, displayName] of [
    ['demo', 'Sample shop'],
    ['north', 'North region'],
    ['lab', 'Research lab'],
  ]) {
    await tenants.putTenant({ tenant, displayName, isDisabled: tenant === 'lab' }, as('lead'));
  }
  const keys = client(ApiKeyService);
  const expiresAt = timestampFromMs(Date.now() + 40 * dayMs);
  for (const [name, granted] of [
    ['shop-assistant', [Role.READER]],
    ['nightly-import', [Role.EDITOR]],
    ['reporting', [Role.AUDITOR]],
  ] as const) {
    const { key } = await keys.createApiKey(
      {
        kind: ApiKeyKind.SERVICE_ACCOUNT,
        name,
        groups: ['staff'],
        roles: [...granted],
        corpora: name === 'shop-assistant' ? ['shop'] : [],
        expiresAt,
      },
      as('lead'),
    );
    if (name === 'nightly-import') await keys.rotateApiKey({ id: key?.id ?? '', overlapSeconds: 86_400 }, as('lead'));
    if (name === 'reporting') await keys.revokeApiKey({ id: key?.id ?? '' }, as('lead'));
  }
  const limits = client(LimitService);
  const target = { layer: 'user', name: 'anna' };
  await limits.putLimit({ target, limit: { costMicrosPerDay: 40_000n, requestsPerMinute: 60n } }, as('lead'));
  await limits.raiseLimit(
    {
      target,
      limit: { costMicrosPerDay: 200_000n },
      until: timestampFromMs(Date.now() + 2 * dayMs),
      reason: 'Stocktaking',
    },
    as('lead'),
  );
}

async function seedEvaluation(evaluation: Client<typeof EvaluationService>) {
  const judgements = new Map<string, { documentId: string; grade: number }[]>();
  for (const line of readFileSync(new URL('qrels.tsv', gold), 'utf8').split('\n')) {
    const [id = '', documentId = '', grade] = line.split('\t');
    if (documentId !== '') judgements.set(id, [...(judgements.get(id) ?? []), { documentId, grade: Number(grade) }]);
  }
  const queries = goldQuestions().map(({ id, text }) => ({ queryId: id, text, judgements: judgements.get(id) ?? [] }));
  await evaluation.addQueries({ dataSet: 'sample-gold', queries }, as('lead'));
  const acts = [
    { queryId: 'hello', text: 'Hello!', act: { act: ConversationAct.GREETING } },
    { queryId: 'thanks', text: 'Thank you, that helped', act: { act: ConversationAct.THANKS } },
    { queryId: 'bedding', text: 'Can I send back unwashed bedding?', act: { act: ConversationAct.COMPLAINT } },
  ];
  await evaluation.addQueries({ dataSet: 'acts', queries: acts }, as('lead'));
  for (const run of [
    { dataSet: 'sample-gold' },
    { dataSet: 'sample-gold', variants: [{ name: 'words only', template: { query: '-', legs: [Leg.KEYWORD] } }] },
    { dataSet: 'acts', suite: SuiteKind.ROUTER },
  ]) {
    for await (const _ of evaluation.runEvaluation(run as never, as('lead')));
  }
}

/** A version of corpus "handbook" that loses most of it, which a gate holds. */
async function seedHeldVersion(indexer: Client<typeof IndexerService>) {
  for (const count of [40, 4]) {
    const lines = Array.from({ length: count }, (_, at) =>
      JSON.stringify({
        id: `page-${at + 1}`,
        title: `Handbook, page ${at + 1}`,
        text: `Paragraph ${at + 1} of the handbook.`,
        owner: ['anna', 'li.wei', ''][at % 3],
        review_at: at % 4 === 0 ? `2026-${at % 8 === 0 ? '10' : '12'}-15` : '',
        ...(at % 7 === 0 && { valid_until: '2026-11-30' }),
        ...(at % 5 === 0 && { groups: ['staff'] }),
      }),
    );
    const { jobId } = await indexer.ingestDocuments(
      (async function* () {
        yield { part: { case: 'start' as const, value: { corpus: 'handbook', deleteMissing: count === 4 } } };
        yield { part: { case: 'file' as const, value: { path: 'handbook.jsonl' } } };
        yield { part: { case: 'data' as const, value: Buffer.from(lines.join('\n')) } };
      })(),
      as('lead'),
    );
    for await (const _ of indexer.watchJob({ jobId }, { ...as('lead'), timeoutMs: 120_000 }));
  }
}

/** A source that lists a quarter of what it has listed before, so that its removals wait. */
async function seedSource(sources: Client<typeof SourceService>, folder: string) {
  mkdirSync(join(folder, 'policies'), { recursive: true });
  const pathOf = (at: number) => join(folder, 'policies', `policy-${at}.md`);
  for (let at = 1; at <= 8; at++) writeFileSync(pathOf(at), `# Policy ${at}\n\nWhat applies in case ${at}.`);
  const settings = {
    ...{ name: 'policies', corpus: 'policies', adapter: 'folder', settings: { path: join(folder, 'policies') } },
    schedule: '0 3 * * *',
  };
  const sourceId = (await sources.createSource({ settings }, as('lead'))).source?.sourceId ?? '';
  const run = async () => {
    await sources.runSource({ sourceId }, as('lead'));
    for (let tries = 0; tries < 100; tries++) {
      const { runs } = await sources.listSourceRuns({ sourceId }, as('lead'));
      if (runs.every(({ endedAt }) => endedAt !== undefined)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await run();
  for (let at = 3; at <= 8; at++) rmSync(pathOf(at));
  for (let again = 0; again < 4; again++) await run();
}
