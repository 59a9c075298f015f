import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Commands that measure a part of chat by itself, without a mesh. Each resolves to its exit code. */
export interface PartMeasures {
  router(args: string[]): Promise<number>;
  rewrite(args: string[]): Promise<number>;
  verifier(args: string[]): Promise<number>;
}

const verifierBaseline = fileURLToPath(
  new URL('../../../../deployments/answer-gold/verifier-baseline.json', import.meta.url),
);

/** Public sets of conversations in a folder, with the option that names them. */
const conversations = [
  { option: '--rewriter', file: 'chat/rewriter-zh.tsv', path: 'chat/rewriter-zh.tsv' },
  { option: '--canard', file: 'chat/canard-dev.json', path: 'chat/canard-dev.json' },
  { option: '--cast', file: 'chat/cast19-topics.json', path: 'chat' },
] as const;

/**
 * Prints what answers depend on beside the search: the accuracy of the router, and with a folder of public sets the gain of follow-ups
 * (`chat/`) and the AUC of the check of sentences (`support/`), each compared with its committed baseline. Returns 3 if one is
 * significantly worse, otherwise 0. What the folder does not have is named.
 */
export async function measureParts(parts: PartMeasures, folder: string | undefined): Promise<number> {
  const codes = [await titled('router', () => parts.router([]))];
  if (folder === undefined) {
    process.stdout.write('\nfollow-ups and verifier: not measured without --public <folder>\n');
    return worst(codes);
  }
  const found = conversations.filter(({ file }) => existsSync(join(folder, file)));
  const args = found.flatMap(({ option, path }) => [option, join(folder, path)]);
  if (args.length > 0) codes.push(await titled('follow-ups', () => parts.rewrite(args)));
  else process.stdout.write(`\nfollow-ups: ${folder} has no chat/\n`);
  const support = join(folder, 'support');
  if (existsSync(support)) {
    codes.push(await titled('verifier', () => parts.verifier([support, '--baseline', verifierBaseline])));
  } else process.stdout.write(`\nverifier: ${folder} has no support/\n`);
  return worst(codes);
}

async function titled(title: string, measure: () => Promise<number>): Promise<number> {
  process.stdout.write(`\n${title}\n`);
  return measure();
}

/** A significant loss (3) is reported before a failure (2). */
export const worst = (codes: readonly number[]): number => Math.max(0, ...codes);
