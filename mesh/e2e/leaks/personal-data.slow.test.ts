import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { PersonalDataMode } from '#gen/ragmesh/config/v1/config_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { collect } from '#kit/base/streams.ts';
import { applyReadMasks } from '#kit/personal-data/apply-read-masks.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ScriptedModel, startScriptedModel } from '../testing/scripted-model.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Planted values go in by every face, in every notation, in documents, questions, feedback and what a model writes. None may come out at a
// provider or be in any byte that the mesh has written.

/** Digits, by which all notations of a value are recognised. */
const planted = {
  asked: '13812345678',
  written: '15987654321',
  indexed: '18687651234',
  identity: '11010519491231002X',
  mail: 'li.lei@corp.cn',
};
const wide = (text: string) =>
  text.replace(/[!-~]/g, (character) => String.fromCharCode(character.charCodeAt(0) + 0xfee0));
const notations: Readonly<Record<string, (digits: string) => string>> = {
  plain: (digits) => digits,
  grouped: (digits) => `${digits.slice(0, 3)} ${digits.slice(3, 7)} ${digits.slice(7)}`,
  hyphens: (digits) => `+86 ${digits.slice(0, 3)}-${digits.slice(3, 7)}-${digits.slice(7)}`,
  wide,
  invisible: (digits) => `${digits.slice(0, 3)}\u200b${digits.slice(3, 7)}\u200b${digits.slice(7)}`,
};

/** Values that a text has in any notation. */
function leaksIn(text: string): string[] {
  const folded = text.normalize('NFKC').replaceAll(/[\s\u200b-]/g, '');
  return Object.values(planted).filter((value) => folded.toUpperCase().includes(value.toUpperCase()));
}

let mesh: WholeMesh;
let model: ScriptedModel;
const logged: string[] = [];

beforeAll(async () => {
  model = await startScriptedModel();
  const settings = { base_url: model.url, model: 'scripted' };
  mesh = await startWholeMesh({
    log: createLogger('trace', { write: (line: string) => void logged.push(line) } as never),
    config: {
      llmGateway: { models: [{ name: 'writer', adapter: 'openai-compatible', settings }, { adapter: 'extractive' }] },
      personalData: {
        policies: [{ mode: PersonalDataMode.REVERSIBLE, readerGroups: ['hr'] }],
        keys: [{ id: 'k1', key: Buffer.alloc(32, 5).toString('base64') }],
      },
    },
  });
  const lines = Object.entries(notations).map(([name, write]) =>
    JSON.stringify({
      id: name,
      title: `Manager ${name}`,
      text: `The manager of returns (${name}) has the mobile phone ${write(planted.indexed)} and the mail ${planted.mail}.`,
    }),
  );
  const options = await mesh.as(testPrincipal({ tenant: 'demo' }));
  const indexer = mesh.client(IndexerService);
  const { jobId } = await indexer.ingestDocuments(
    (async function* () {
      yield { part: { case: 'start' as const, value: { corpus: 'managers' } } };
      yield { part: { case: 'file' as const, value: { path: 'managers.jsonl' } } };
      yield { part: { case: 'data' as const, value: new TextEncoder().encode(lines.join('\n')) } };
    })(),
    options,
  );
  for await (const { job } of indexer.watchJob({ jobId }, options)) {
    if (job?.state === JobState.FAILED) throw new Error(job.error);
  }
});
afterAll(async () => {
  await mesh.close();
  await model[Symbol.asyncDispose]();
});

const post = async (path: string, body: object): Promise<string> => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${mesh.devKey}` };
  return (await fetch(`${mesh.edgeUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })).text();
};
const messagesOf = (content: string) => [{ role: 'user', content }];
const faces: Readonly<Record<string, (question: string) => Promise<string>>> = {
  connect: async (question) => {
    const chat = createClient(ChatService, createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2' }));
    const { text } = await askWhole(chat, { question }, { headers: { authorization: `Bearer ${mesh.devKey}` } });
    return text;
  },
  sse: (query) => post('/v1/chat/stream', { query, create_session: true }),
  openai: (content) => post('/v1/chat/completions', { model: 'ragmesh', messages: messagesOf(content) }),
  'openai, streamed': (content) =>
    post('/v1/chat/completions', { model: 'ragmesh', messages: messagesOf(content), stream: true }),
  'a model by its name': (content) =>
    post('/v1/chat/completions', { model: 'writer', messages: messagesOf(content), stream: true }),
  rpc: async (question) => {
    const options = await mesh.as(testPrincipal({ tenant: 'demo' }));
    const { text, sources } = await askWhole(mesh.client(ChatService), { question, createSession: true }, options);
    return text + JSON.stringify(sources.map((passage) => passage.text));
  },
};

/** The model repeats the mask of the question, and writes a number and an address of its own. */
const answerOf = (said: string, written: string): string =>
  `Returns take seven days [1]. Yours is ${/\[PHONE_\w+\]/.exec(said)?.[0]}, his is ${written} or ${planted.mail}. Done.`;

describe.each(Object.keys(notations))('%s', (name) => {
  const write = notations[name] as (digits: string) => string;
  test.each(Object.keys(faces))('%s', async (face) => {
    model.answerWith((said) => [...answerOf(said, write(planted.written))]);
    const question = `Who is the manager of returns? My mobile is ${write(planted.asked)}, ID ${planted.identity}.`;
    const shown = await faces[face]?.(question);
    // What the caller has said comes back to the caller alone.
    const own = [planted.asked, planted.identity];
    expect(leaksIn(shown ?? '').filter((value) => !own.includes(value))).toEqual([]);
  });
});

test('a value that the model writes does not leave, wherever it is cut', async () => {
  const options = await mesh.as(testPrincipal({ tenant: 'demo' }));
  const whole = answerOf('', planted.written);
  for (let first = whole.indexOf('his'); first <= whole.length; first++) {
    model.answerWith(() => [whole.slice(0, first), whole.slice(first)]);
    const request = { question: 'Who is the manager of returns?', bypassCache: true };
    const { text } = await askWhole(mesh.client(ChatService), request, options);
    expect(leaksIn(text), `cut at ${first}`).toEqual([]);
    expect(text).toContain('his is [PHONE] or [EMAIL].');
  }
});

test('a document is read with its originals by reader groups, and with short masks by others', async () => {
  const readBy = async (groups: string[]) => {
    const options = await mesh.as(testPrincipal({ tenant: 'demo', groups }));
    const { text, masks } = await mesh
      .client(IndexerService)
      .getDocument({ corpus: 'managers', documentId: 'plain' }, options);
    expect(leaksIn(text)).toEqual([]);
    expect(masks).toHaveLength(2);
    return applyReadMasks(text, masks);
  };
  expect(await readBy(['hr'])).toContain(`has the mobile phone ${planted.indexed} and the mail ${planted.mail}.`);
  const short = /has the mobile phone \[PHONE_[0-9a-f]{8}\] and the mail \[EMAIL_[0-9a-f]{8}\]\./;
  expect(await readBy([])).toMatch(short);
  expect(await readBy(['sales'])).toMatch(short);
});

test('no provider, log or byte of the data folder has a planted value', async () => {
  const options = await mesh.as(testPrincipal({ tenant: 'demo' }));
  const chat = mesh.client(ChatService);
  const { done } = await askWhole(chat, { question: `Is ${planted.asked} known?`, createSession: true }, options);
  const comment = `Call ${planted.asked} or ${planted.mail}`;
  await chat.submitFeedback({ answerId: done.answerId, rating: Rating.DOWN, comment }, options);
  const entries = await collect(mesh.client(AuditService).queryAudit({}, options));
  expect(entries.length).toBeGreaterThan(20);
  expect(leaksIn(JSON.stringify(entries, (_, value) => (typeof value === 'bigint' ? String(value) : value)))).toEqual(
    [],
  );
  expect(model.requests.length).toBeGreaterThan(20);
  expect(leaksIn(JSON.stringify(model.requests))).toEqual([]);
  expect(leaksIn(logged.join(''))).toEqual([]);

  const { dataDir } = mesh;
  await mesh.close(true);
  let sizeBytes = 0;
  for (const path of readdirSync(dataDir, { recursive: true, withFileTypes: true })) {
    if (!path.isFile()) continue;
    const bytes = readFileSync(join(path.parentPath, path.name));
    sizeBytes += bytes.length;
    expect(leaksIn(bytes.toString('utf8')), path.name).toEqual([]);
  }
  // The folder has the documents, and the search would find a value in it.
  expect(sizeBytes).toBeGreaterThan(100_000);
  expect(leaksIn(`x ${notations.invisible?.(planted.asked)}`)).toEqual([planted.asked]);
  rmSync(dataDir, { recursive: true });
});
