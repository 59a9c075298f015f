import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ClaimFault, SentenceAction } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type RerankRequest, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { type ChatMesh, found, passagesOf, says, startChat } from '../testing/chat.ts';

// A model that scores how much its passages support a written sentence.

let chat: ChatMesh;
const asked: RerankRequest[] = [];
const paraphrase = 'You get your money back a fortnight after we unpack it [1].';
/** All of its words are in the passage, which does not say it. */
const scrambled = 'The warehouse reaches the item of the refund after two weeks [1].';

beforeAll(async () => {
  const verification = () => ({
    onWrongFact: SentenceAction.QUOTE,
    onUnsupported: SentenceAction.WITHHOLD,
    minSupport: 0.15,
  });
  const supportModel = { model: 'nli', timeoutMs: 20_000, minScore: 0.5 };
  chat = await startChat({ settings: { verification, supportModel } });
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  asked.length = 0;
  chat.script.retrieve = () =>
    found(passagesOf('The refund is sent two weeks after the item reaches the warehouse.', 'Lamps.'));
});

function scores(score: number, scale: ScoreScale = ScoreScale.UNIT, fallbackFrom = '') {
  chat.script.rerank = async function* (request) {
    asked.push(request);
    yield { case: 'scored', value: { passages: request.candidates.map((_, index) => ({ index, score })) } };
    yield { case: 'done', value: { model: 'nli', scale, fallbackFrom } };
  };
}

let count = 0;
async function faultsOf(...texts: string[]) {
  chat.script.generate = () => says(...texts);
  const { done } = await chat.ask({ question: `When is the refund sent? (${count++})` });
  return done?.unsupportedClaims.map(({ fault }) => fault);
}

test('its score decides for a sentence in other words, in either direction', async () => {
  scores(0.9);
  expect(await faultsOf(paraphrase)).toEqual([]);
  expect(asked.map(({ query, model, candidates }) => [query, model, candidates.length])).toEqual([
    ['You get your money back a fortnight after we unpack it.', 'nli', 1],
  ]);
  scores(0.1);
  expect(await faultsOf(scrambled)).toContain(ClaimFault.SUPPORT);
});

test('its logits are compared as probabilities', async () => {
  scores(2, ScoreScale.LOGIT);
  expect(await faultsOf(scrambled)).toEqual([]);
  scores(-2, ScoreScale.LOGIT);
  expect(await faultsOf(scrambled)).toContain(ClaimFault.SUPPORT);
});

test('a wrong number is wrong whatever it says, and a quotation needs no score', async () => {
  scores(0.9);
  expect(await faultsOf('The refund is sent nine weeks after the item reaches the warehouse [1].')).toContain(
    ClaimFault.FACT,
  );
  expect(await faultsOf('The refund is sent two weeks after the item reaches the warehouse [1].')).toEqual([]);
  expect(asked).toEqual([]);
});

test('words are compared if it fails or another model answers, and it is asked once an answer', async () => {
  scores(0, ScoreScale.UNIT, 'nli');
  expect(await faultsOf(`${scrambled} `, 'After two weeks the item reaches a refund warehouse [1].')).toEqual([]);
  expect(asked.length).toBe(1);
  let calls = 0;
  // biome-ignore lint/correctness/useYield: it fails before its first event
  chat.script.rerank = async function* () {
    calls++;
    throw new Error('down');
  };
  expect(await faultsOf(`${scrambled} `, 'After two weeks the item reaches a refund warehouse [1].')).toEqual([]);
  expect(calls).toBeGreaterThan(0);
});
