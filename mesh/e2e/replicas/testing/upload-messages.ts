/** Returns the messages of an upload of one document into a corpus; its text states an amount. */
export async function* uploadMessages(corpus: string, id: string, amount: number) {
  const text = `# Rule ${id}\n\nThe fee of rule ${id} is ${amount} yuan. It applies to every parcel of the order.\n`;
  yield { part: { case: 'start' as const, value: { corpus } } };
  yield { part: { case: 'file' as const, value: { path: id, mediaType: 'text/markdown' } } };
  yield { part: { case: 'data' as const, value: new TextEncoder().encode(text) } };
}
