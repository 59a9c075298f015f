import type { z } from 'zod';
import { countTokensSchema, messagesSchema } from '../anthropic/schemas.ts';
import { embeddingsSchema } from '../openai/schemas/embeddings.ts';
import { plainRequestSchema } from '../openai/schemas/plain-request.ts';
import { requestSchema } from '../openai/schemas/request.ts';
import { rerankSchema } from '../openai/schemas/rerank.ts';
import { questionSchema } from '../sse/chat-stream.ts';

/** The routes whose bodies are JSON, with the schemas that the edge reads them by. */
export const routeSchemas: readonly { path: string; schema: z.ZodType }[] = [
  { path: '/v1/chat/stream', schema: questionSchema },
  { path: '/v1/chat/completions', schema: plainRequestSchema },
  { path: '/v1/chat/completions', schema: requestSchema },
  { path: '/v1/embeddings', schema: embeddingsSchema },
  { path: '/v1/rerank', schema: rerankSchema },
  { path: '/v1/messages', schema: messagesSchema },
  { path: '/v1/messages/count_tokens', schema: countTokensSchema },
];
