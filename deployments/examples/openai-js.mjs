// npm install openai
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: `${process.env.RAGMESH_URL}/v1`, apiKey: process.env.RAGMESH_API_KEY });
const completion = await client.chat.completions.create({
  model: 'ragmesh',
  messages: [{ role: 'user', content: 'How long does a refund to a credit card take?' }],
});
const { content, citations } = completion.choices[0].message;
console.log(content);
for (const { marker, title } of citations) console.log(`[${marker}] ${title}`);
