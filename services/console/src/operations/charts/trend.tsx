import { Suspense } from 'react';
import { TrendBars } from './plots.ts';

/** The questions of the last days as bars. */
export function Trend({ counts, label }: { counts: readonly number[]; label: string }) {
  return (
    <Suspense fallback={null}>
      <TrendBars counts={counts} label={label} />
    </Suspense>
  );
}
