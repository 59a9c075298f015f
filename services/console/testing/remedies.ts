/** What the console offers against a verdict, for tests over the whole mesh. */
export { type Remedy, remediesOf } from '../src/state/remedies.ts';
