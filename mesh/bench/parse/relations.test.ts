import { expect, test } from 'vitest';
import { compareRelations, readTruth, relationsOf } from './relations.ts';

const xml = `<region id='1'><cell start-row='0' start-col='0' end-col='1'><content>A &amp; B</content></cell>
  <cell start-row='1' start-col='0'><content>c</content></cell><cell start-row="1" start-col="1"><content> d </content></cell></region>`;

test('a cell is related to the next one to its right and below it, over all that it covers', () => {
  const [cells = []] = readTruth(xml);
  expect(relationsOf(cells)).toEqual(['A&B↓c', 'A&B↓d', 'c→d']);
});

test('relations count as often as they occur', () => {
  expect(compareRelations(['a→b', 'a→b', 'x→y'], ['a→b', 'c→d'])).toEqual({ found: 3, right: 1, true: 2 });
});
