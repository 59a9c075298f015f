// npm install @langchain/openai @langchain/core
import { ChatOpenAI } from '@langchain/openai';

const model = new ChatOpenAI({
  model: 'ragmesh',
  apiKey: process.env.RAGMESH_API_KEY,
  configuration: { baseURL: `${process.env.RAGMESH_URL}/v1` },
});
const stream = await model.stream('How long does a refund to a credit card take?');
for await (const chunk of stream) process.stdout.write(chunk.text);
