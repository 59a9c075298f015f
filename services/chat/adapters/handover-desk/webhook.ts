import { createHmac } from 'node:crypto';
import { toJson } from '@bufbuild/protobuf';
import { z } from 'zod';
import { HandoverSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { sleep } from '#kit/base/streams.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { HttpFailure, unavailableHttp } from '#kit/http/failure.ts';
import { withinTime } from '#kit/http/json.ts';
import type { DeskDeps, HandoverDesk } from '../../handover/desk.ts';

/** Longest pause before another attempt, in milliseconds. */
const maxBackoffMs = 8000;

/**
 * Posts JSON to an address. The header `x-ragmesh-signature` is `t=<seconds>,v1=<hex>`: HMAC-SHA256 with the secret over
 * `<seconds>.<body>`. A receiver compares it, refuses old times, and ignores an `answer_id` that it has.
 */
export const adapter = defineAdapter({
  settings: {
    url: z.string().describe('Address that receives a POST for each conversation that waits'),
    secret: secret().describe('Key of the signature'),
    timeout_ms: z.int().min(100).max(30_000).describe('Time for one attempt').default(5000),
    attempts: z
      .int()
      .min(1)
      .max(5)
      .describe('Attempts; again only if the address is away, or answers 429 or 5xx')
      .default(3),
    backoff_ms: z
      .int()
      .min(1)
      .max(8000)
      .describe('Pause before the second attempt; each later one is twice as long')
      .default(500),
  },
  create({ url, secret: key, timeout_ms, attempts, backoff_ms }, { clock, fetch }: DeskDeps): HandoverDesk {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new ConfigError('chat.handover_desk.settings.url', `"${url}" is no http or https address`);
    }
    const post = (body: string, signal: AbortSignal) =>
      withinTime('hand-over desk', timeout_ms, signal, async (ends) => {
        const seconds = Math.floor(clock() / 1000);
        const signature = createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex');
        const reply = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-ragmesh-signature': `t=${seconds},v1=${signature}` },
          body,
          redirect: 'manual',
          signal: ends,
        });
        await reply.body?.cancel();
        if (!reply.ok) throw new HttpFailure(reply.status, undefined, reply.headers);
      });
    return {
      async report({ tenant, user, sessionId, answerId, handover }, signal) {
        const named = { tenant, user, session_id: sessionId, answer_id: answerId };
        const body = JSON.stringify({
          ...named,
          handover: toJson(HandoverSchema, handover, { useProtoFieldName: true }),
        });
        for (let attempt = 1; ; attempt++) {
          try {
            await post(body, signal);
            return;
          } catch (error) {
            const mayRepeat = !(error instanceof HttpFailure) || error.status === 429 || error.status >= 500;
            if (error instanceof HttpFailure && (attempt >= attempts || !mayRepeat)) {
              throw unavailableHttp('hand-over desk', `answered ${error.status}`, error);
            }
            if (attempt >= attempts) throw error;
            await sleep(Math.min(maxBackoffMs, backoff_ms * 2 ** (attempt - 1)), signal);
          }
        }
      },
    };
  },
});
