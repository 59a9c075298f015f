import { afterAll, beforeAll, expect, test } from 'vitest';
import { type IndexerMesh, startIndexerMesh } from '../testing/indexer-mesh.ts';

let mesh: IndexerMesh;
beforeAll(async () => {
  mesh = await startIndexerMesh({ personalData: { policies: [{}] } });
});
afterAll(() => mesh.mesh.close());

const jsonl = (records: object[]): string => records.map((record) => JSON.stringify(record)).join('\n');
const textOf = async (corpus: string, documentId: string) =>
  (await mesh.client.getDocument({ corpus, documentId }, await mesh.mesh.as())).text;

test('what a document for everyone publishes stays in other documents, and nothing else does', async () => {
  const store = { id: 'store', text: 'The store: 021-62881234. The manager: 13812345678.' };
  await mesh.ingest({ 'a.jsonl': jsonl([store]) }, { corpus: 'help' });
  expect(await textOf('help', 'store')).toBe('The store: [PHONE]. The manager: [PHONE].');
  const contact = { id: 'contact', text: 'Call us: (021) 6288 1234', access: 'public' };
  const inside = { id: 'inside', text: 'Manager: 13812345678', access: 'public', groups: ['staff'] };
  await mesh.ingest({ 'b.jsonl': jsonl([contact, inside]) }, { corpus: 'contacts' });
  expect(await textOf('contacts', 'contact')).toBe(contact.text);
  await mesh.ingest({ 'a.jsonl': jsonl([store]) }, { corpus: 'help' });
  expect(await textOf('help', 'store')).toBe('The store: 021-62881234. The manager: [PHONE].');
});
