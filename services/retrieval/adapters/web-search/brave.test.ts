import type { WebSearch } from '../../stores/web-search.ts';
import { webSearchSuite } from '../../suites/web-search.suite.ts';
import { adapter } from './brave.ts';

// The shape: https://api-dashboard.search.brave.com/app/documentation/web-search/responses and, for errors, its API
// reference (422, code SUBSCRIPTION_TOKEN_INVALID).
webSearchSuite('brave', {
  create: (url, timeout_ms) => adapter.create({ api_key: 'BSA-test', url, timeout_ms }, {}) as WebSearch,
  headers: ['accept', 'x-subscription-token'],
  replyOf: (results) => ({
    type: 'search',
    query: { original: 'return policy', more_results_available: true },
    ...(results.length === 0
      ? {}
      : {
          web: {
            type: 'search',
            results: results.map(({ title, url, text }) => ({
              type: 'search_result',
              subtype: 'generic',
              title,
              url,
              description: text,
              is_source_local: false,
              is_source_both: false,
              language: 'en',
              family_friendly: true,
              profile: { name: 'Shop', url, long_name: 'shop.example' },
            })),
            family_friendly: true,
          },
        }),
  }),
  refusal: {
    status: 422,
    body: {
      type: 'ErrorResponse',
      error: {
        code: 'SUBSCRIPTION_TOKEN_INVALID',
        detail: 'The provided subscription token is invalid.',
        status: 422,
        meta: { component: 'authentication' },
      },
      time: 1_663_072_993,
    },
  },
});
