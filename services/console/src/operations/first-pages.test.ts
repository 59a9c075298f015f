import { InfiniteQueryObserver, QueryCache, QueryClient } from '@tanstack/react-query';
import { expect, test } from 'vitest';
import { keepFirstPages } from './first-pages.ts';

test('a list that is no longer shown keeps its first page, and another reply stays as it is', async () => {
  const queryCache = new QueryCache();
  keepFirstPages(queryCache);
  const client = new QueryClient({ queryCache });
  const fetched: number[] = [];
  const options = {
    queryKey: ['list'],
    queryFn: ({ pageParam }: { pageParam: number }) => {
      fetched.push(pageParam);
      return [pageParam * 2, pageParam * 2 + 1];
    },
    initialPageParam: 0,
    getNextPageParam: (_: unknown, pages: unknown[]) => pages.length,
    staleTime: 60_000,
  };
  const list = new InfiniteQueryObserver(client, options);
  const leave = list.subscribe(() => undefined);
  await list.refetch();
  await list.fetchNextPage();
  await list.fetchNextPage();
  expect(list.getCurrentResult().data?.pages).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  leave();
  expect(client.getQueryData(['list'])).toEqual({ pages: [[0, 1]], pageParams: [0] });

  const back = new InfiniteQueryObserver(client, options);
  const leaveAgain = back.subscribe(() => undefined);
  fetched.length = 0;
  await back.fetchNextPage();
  expect(back.getCurrentResult().data?.pages).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(fetched).toEqual([1]);
  leaveAgain();
  client.setQueryData(['one'], { pages: 3 });
  expect(client.getQueryData(['one'])).toEqual({ pages: 3 });
  client.clear();
});
