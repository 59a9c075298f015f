// npm run client:pack, then npm install ragmesh-client-0.1.0.tgz
import { createRagmesh } from '@ragmesh/client';

const ragmesh = createRagmesh({ baseUrl: process.env.RAGMESH_URL, credential: process.env.RAGMESH_API_KEY });
const stream = ragmesh.chat.ask({ question: 'How long does a refund to a credit card take?' });
for await (const { event } of stream) {
  if (event.case === 'textDelta') process.stdout.write(event.value.text);
  if (event.case === 'citation') console.log(`\n[${event.value.marker}] ${event.value.title}`);
}
