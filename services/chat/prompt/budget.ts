/** Tokens that the parts of a prompt take besides its evidence. */
export interface PromptParts {
  /** Instructions; never cut. */
  system: number;
  /** The latest turns. */
  history: number;
  /** The summary of older turns. */
  summary: number;
  /** Results of tools, or what is kept free for them. */
  tools: number;
}

/** Largest share of the budget for each part that gives way. Evidence has the rest. */
export const shares = { history: 0.25, summary: 0.05, tools: 0.25 } as const;

/** Share of the budget that evidence has, however long the instructions are. */
const evidenceFloor = 0.4;

/** Returns the most tokens that a part may take. */
export const limitOf = (part: keyof typeof shares, budgetTokens: number): number =>
  Math.floor(budgetTokens * shares[part]);

/** Returns the tokens for evidence: what the other parts leave, and never less than its floor. */
export function evidenceTokens(budgetTokens: number, { system, history, summary, tools }: PromptParts): number {
  const left = budgetTokens - system - history - summary - tools;
  return Math.max(1, Math.floor(budgetTokens * evidenceFloor), left);
}
