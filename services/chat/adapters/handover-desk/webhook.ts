import { toJson } from '@bufbuild/protobuf';
import { z } from 'zod';
import { HandoverSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createSignedPost, isHttpUrl } from '#kit/http/signed-post.ts';
import type { DeskDeps, HandoverDesk } from '../../handover/desk.ts';

/**
 * Posts JSON to an address, signed (`kit/http/signed-post.ts`). A receiver compares the signature, refuses old times, and ignores an
 * `answer_id` that it has.
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
  create({ url, secret: key, timeout_ms, attempts, backoff_ms }, deps: DeskDeps): HandoverDesk {
    if (!isHttpUrl(url)) {
      throw new ConfigError('chat.handover_desk.settings.url', `"${url}" is no http or https address`);
    }
    const limits = { timeoutMs: timeout_ms, attempts, backoffMs: backoff_ms };
    const post = createSignedPost({ dependency: 'hand-over desk', url, secret: key, ...limits, ...deps });
    return {
      report({ tenant, user, sessionId, answerId, handover }, signal) {
        const named = { tenant, user, session_id: sessionId, answer_id: answerId };
        const body = JSON.stringify({
          ...named,
          handover: toJson(HandoverSchema, handover, { useProtoFieldName: true }),
        });
        return post(body, { 'content-type': 'application/json' }, signal);
      },
    };
  },
});
