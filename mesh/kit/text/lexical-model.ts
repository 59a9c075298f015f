/** Returns whether the vectors of an embedding model represent only words, not meanings: those of the embedded default. */
export function isLexicalModel(model: string): boolean {
  return model.startsWith('hashing-');
}
