import type { WebSearch } from '../../stores/web-search.ts';
import { webSearchSuite } from '../../suites/web-search.suite.ts';
import { adapter } from './searxng.ts';

// The shape: https://docs.searxng.org/dev/search_api.html and searx/webutils.py get_json_response() of searxng/searxng.
webSearchSuite('searxng', {
  create: (url, timeout_ms) => adapter.create({ url, safe_search: 1, timeout_ms }, {}) as WebSearch,
  headers: ['accept'],
  replyOf: (results) => ({
    query: 'return policy',
    number_of_results: results.length,
    results: results.map(({ title, url, text }) => ({
      url,
      title,
      content: text,
      engine: 'duckduckgo',
      parsed_url: ['https', 'shop.example', '/returns', '', '', ''],
      template: 'default.html',
      engines: ['duckduckgo', 'startpage'],
      positions: [1, 2],
      score: 1.5,
      category: 'general',
    })),
    answers: [],
    corrections: [],
    infoboxes: [],
    suggestions: [],
    unresponsive_engines: [],
  }),
  // An instance that does not allow the format.
  refusal: { status: 403, body: '<!doctype html><title>403 Forbidden</title>' },
});
