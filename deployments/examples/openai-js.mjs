// npm install openai
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: `${process.env.RAGMESH_URL}/v1`, apiKey: process.env.RAGMESH_API_KEY });
const completion = await client.chat.completions.create({
  model: 'ragmesh',
  messages: [{ role: 'user', content: 'How long does a refund to a credit card take?' }],
});
console.log(completion.choices[0].message.content);
for (const { marker, title } of completion.citations) console.log(`[${marker}] ${title}`);
