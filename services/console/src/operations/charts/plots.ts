import { lazy } from 'react';

// What draws is apart from the rest: the chart library is loaded with the first chart of a page.

export const DayBars = lazy(async () => ({ default: (await import('./day-bars.tsx')).DayBars }));
export const TrendBars = lazy(async () => ({ default: (await import('./trend-bars.tsx')).TrendBars }));
export const StageBars = lazy(async () => ({ default: (await import('./stage-bars.tsx')).StageBars }));
