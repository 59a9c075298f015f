/** A wording that ragmesh does not use, and what it uses instead. */
export interface Term {
  /** What the test looks for, in comments, messages and pages. */
  readonly banned: RegExp;
  /** How CONTRIBUTING names it. */
  readonly name: string;
  /** The words to use instead. */
  readonly use: string;
}

const term = (name: string, use: string, banned: RegExp): Term => ({ name, use, banned });

/**
 * The project's wording. CONTRIBUTING.md has the same table, and the language test checks both. The words of the field keep
 * their one meaning: attempt, reservation, settlement, fallback, failover, backoff, deadline, lease, tombstone, compaction,
 * replay, snapshot, quorum.
 */
export const terms: readonly Term[] = [
  term(
    '`where` (for a condition)',
    'if, when; "in which" for a place',
    /\bwhere\b(?! (?:is|are|does|do|would) [^.\n]*\?)/gi,
  ),
  term('`tells`, `told`', 'returns, reports, notifies, says', /\b(tells?|told|telling)\b/gi),
  term('`tells apart`', 'distinguishes', /\btell(s|ing)? apart\b/gi),
  term('`stands` (in, at, for, still)', 'is, is in, represents, stops', /\b(stands?|stood)\b(?!-)/gi),
  term('`nobody`, `whoever`', 'no one, the caller, any client', /\b(nobody|whoever|whosoever)\b/gi),
  term('`at once`', 'immediately, atomically, concurrently, at the same time', /\bat once\b/gi),
  term('`under way`', 'in flight, running', /\bunder ?way\b/gi),
  term('`goes on`', 'continues', /\b(goes|go|going|went|gone) on\b/gi),
  term('`anew`', 'again; reloaded for configuration', /\banew\b/gi),
  term('`left alone`', 'circuit open, cooling down; unchanged', /\b(left|leaves?) alone\b/gi),
  term('`lets go`', 'releases', /\b(lets?|letting) go\b/gi),
  term('`dear`', 'expensive', /\bdear(er|est)?\b/gi),
  term('`for want of`', 'because of, without', /\b(for|from) want of\b/gi),
  term('`is not to be`', 'cannot, must not', /\b(is|are) not to be\b/gi),
  term(
    '`comes to`, `came to`',
    'results in, the outcome of',
    /\bwhat (an? |the |it )?[a-z ]{0,20}(came|comes|come) to\b/gi,
  ),
  term('`asks for peace`', 'backs off', /\bpeace\b/gi),
  term('`puts aside`', 'moves, sets apart, quarantines', /\bputs? aside\b/gi),
  term('`mends`', 'fixes, repairs', /\bmend(s|ed|ing)?\b/gi),
  term(
    '`ere`, `hence`, `thus`, `whence`, `thereof`',
    'before, so, from which',
    /\b(ere|whence|thence|thereof|thereby|wherein|whereby|herein)\b/gi,
  ),
  term('`of late`', 'recently', /\bof late\b/gi),
  term('`for good`', 'permanently, finally', /\bfor good\b/gi),
  term('`in its stead`', 'instead', /\bin (its|their) stead\b/gi),
  term('`save that`, `save for`', 'except', /\bsave (that|for)\b/gi),
  term('`gives up on`', 'cancels, abandons', /\bgiv(es?|ing) up on\b/gi),
  term('`as it likes`, `at will`', 'freely', /\b(as (it|they) likes?|at will)\b/gi),
  term('`made void`', 'invalidated', /\b(made|make|makes) void\b/gi),
  term('`broke off`', 'was interrupted, ended early', /\b(broke|breaks?|broken|breaking) off\b/gi),
  term('`hands out`, `hands on`', 'returns, passes, forwards', /\bhand(s|ed|ing)? (out|on)\b/gi),
  term('`has not got`, `has got`', 'has no, has', /\bha(s|ve) (not )?got\b/gi),
  term('`taken for`', 'treated as', /\btak(en|es?) for\b/gi),
  term('`by and by`', 'gradually', /\bby and by\b/gi),
  term('`a good deal`, `a great deal`', 'much', /\ba (good|great) deal\b/gi),
  term('`keeps to`', 'follows, conforms to', /\bkeeps? to\b/gi),
  term('`looks after`', 'maintains, checks', /\blook(s|ed)? after\b/gi),
  term('`ever so`, `no matter how`', 'however', /\bever so\b/gi),
  term('`the like`, `such like`', 'similar', /\b(and|or) the like\b/gi),
  term('`house rules`', 'project rules', /\bof the house\b/gi),
  term('`asker`, `asked one`', 'caller, request', /\baskers?\b/gi),
  term('`neighbour` (for a service)', 'dependency', /\bneighbou?r services?\b/gi),
  term('`makes good`', 'compensates, restores', /\bmak(es?|ing) good\b/gi),
];
