// npm install ai @ai-sdk/openai-compatible
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';

const ragmesh = createOpenAICompatible({
  name: 'ragmesh',
  baseURL: `${process.env.RAGMESH_URL}/v1`,
  apiKey: process.env.RAGMESH_API_KEY,
});
const { textStream } = streamText({
  model: ragmesh('ragmesh'),
  prompt: 'How long does a refund to a credit card take?',
});
for await (const text of textStream) process.stdout.write(text);
