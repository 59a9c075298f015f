const marker =
  /^(?:[•●○■□▪◆◇‣⁃➢✓·∙*–—-]\s*(?=\S)|\(?\d{1,3}[.)]\s+(?=\S)|[（(][\d一二三四五六七八九十a-z]{1,3}[)）]\s*(?=\S)|[①-⑳]\s*|[a-zA-Z][.)]\s+(?=\S))/u;
const negativeNumber = /^[–—-]\s*[\d.,]+%?\s*$/;

/** Reports whether a line begins an item of a list. */
export function isListItem(text: string): boolean {
  return marker.test(text) && !negativeNumber.test(text);
}

/** Returns an item with a mark that other formats have too. */
export function withMark(text: string): string {
  return text.replace(/^[•●○■□▪◆◇‣⁃➢✓·∙*–—]\s*/u, '- ');
}
