import { expect, test } from 'vitest';
import { connectionError, isFiltered, readFailure, toProviderError } from './error-from-wire.ts';

const failure = (status: number | undefined, body: unknown, headers: Record<string, string> = {}) =>
  readFailure(body, status, (name) => headers[name]);
const openAi = (code: string | null, type = 'invalid_request_error', message = 'text') => ({
  error: { message, type, param: null, code },
});

// Bodies as documented: OpenAI platform.openai.com/docs/guides/error-codes; Azure learn.microsoft.com/azure/ai-services/openai;
// Anthropic docs.claude.com/en/api/errors; Model Studio alibabacloud.com/help/en/model-studio/error-code; Ark
// volcengine.com/docs/82379/1299023; vLLM vllm/entrypoints/openai/protocol.py; Xinference xinference/api/restful_api.py; TGI
// router/src/server.rs; Ollama server/routes.go; llama.cpp tools/server.
test.each([
  ['OpenAI, key', 401, openAi('invalid_api_key'), 'elsewhere', 'auth'],
  [
    'OpenAI, quota, with a status that says to wait',
    429,
    openAi('insufficient_quota', 'insufficient_quota'),
    'elsewhere',
    'quota',
  ],
  ['OpenAI, spend limit', 429, openAi('project_spend_limit_exceeded'), 'elsewhere', 'quota'],
  ['OpenAI, rate', 429, openAi('rate_limit_exceeded', 'requests'), 'retry', 'rate-limited'],
  ['OpenAI, slow down', 429, openAi('slow_down'), 'retry', 'rate-limited'],
  ['OpenAI, overload', 503, openAi('server_is_overloaded'), 'retry', 'overloaded'],
  ['OpenAI, model', 404, openAi('model_not_found'), 'elsewhere', 'model-unknown'],
  ['OpenAI, length', 400, openAi('context_length_exceeded'), 'fix-request', 'too-long'],
  ['OpenAI, a parameter that this model lacks', 400, openAi('unsupported_parameter'), 'elsewhere', 'invalid'],
  ['OpenAI, a bad request', 400, openAi(null), 'fix-request', 'invalid'],
  ['OpenAI, server', 500, openAi(null, 'server_error'), 'retry', 'broken'],
  ['Azure, deployment', 404, { error: { code: 'DeploymentNotFound', message: 'text' } }, 'elsewhere', 'model-unknown'],
  [
    'Azure, rate, code as a number',
    429,
    { error: { code: '429', message: 'Please retry after 3 seconds' } },
    'retry',
    'rate-limited',
  ],
  [
    'Anthropic, overload',
    529,
    { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    'retry',
    'overloaded',
  ],
  [
    'Anthropic, rate',
    429,
    { type: 'error', error: { type: 'rate_limit_error', message: 'text' } },
    'retry',
    'rate-limited',
  ],
  [
    'Anthropic, billing',
    402,
    { type: 'error', error: { type: 'billing_error', message: 'text' } },
    'elsewhere',
    'quota',
  ],
  [
    'Anthropic, credit, with the type of a bad request',
    400,
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the API.' },
    },
    'elsewhere',
    'quota',
  ],
  [
    'Anthropic, length',
    400,
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' },
    },
    'fix-request',
    'too-long',
  ],
  [
    'Anthropic, a spend limit that is enforced',
    429,
    { type: 'error', error: { type: 'enforced_spend_limit_reached' } },
    'elsewhere',
    'quota',
  ],
  ['Model Studio, unpaid', 400, openAi('Arrearage', 'Arrearage'), 'elsewhere', 'quota'],
  ['Model Studio, rate', 429, openAi('Throttling.RateQuota'), 'retry', 'rate-limited'],
  ['Model Studio, allocation', 429, openAi('Throttling.AllocationQuota'), 'retry', 'rate-limited'],
  ['Model Studio, burst', 429, openAi('limit_burst_rate', 'limit_burst_rate'), 'retry', 'rate-limited'],
  ['Model Studio, native shape', 401, { request_id: 'r', code: 'InvalidApiKey', message: 'text' }, 'elsewhere', 'auth'],
  [
    'Model Studio, length',
    400,
    openAi('invalid_parameter_error', 'invalid_request_error', 'Range of input length should be [1, 6000]'),
    'fix-request',
    'too-long',
  ],
  ['Ark, rate', 429, openAi('RateLimitExceeded.EndpointTPMExceeded'), 'retry', 'rate-limited'],
  ['Ark, rate of an account', 429, openAi('ModelAccountTpmRateLimitExceeded'), 'retry', 'rate-limited'],
  ['Ark, overload', 429, openAi('ServerOverloaded'), 'retry', 'overloaded'],
  ['Ark, quota', 429, openAi('QuotaExceeded'), 'elsewhere', 'quota'],
  ['Ark, a limit that the owner set', 429, openAi('SetLimitExceeded'), 'elsewhere', 'quota'],
  ['Ark, overdue', 403, openAi('AccountOverdueError'), 'elsewhere', 'quota'],
  ['Ark, model', 404, openAi('ModelNotOpen'), 'elsewhere', 'model-unknown'],
  [
    'vLLM, length, code as a number',
    400,
    {
      error: {
        message: "This model's maximum context length is 4096 tokens.",
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    },
    'fix-request',
    'too-long',
  ],
  ['vLLM, model', 404, { error: { message: 'text', type: 'NotFoundError', code: 404 } }, 'elsewhere', 'model-unknown'],
  [
    'vLLM, inside a stream',
    undefined,
    { error: { message: 'text', type: 'InternalServerError', code: 500 } },
    'retry',
    'broken',
  ],
  [
    'vLLM, older and flat',
    400,
    { object: 'error', message: 'text', type: 'BadRequestError', code: 400 },
    'fix-request',
    'invalid',
  ],
  ['Xinference, a string', undefined, { error: 'CUDA out of memory' }, 'retry', 'broken'],
  ['Xinference, model', 400, { detail: 'Model not found in the model list, uid: q' }, 'elsewhere', 'model-unknown'],
  ['Xinference, busy', 503, { detail: 'No available slot found for the model' }, 'retry', 'overloaded'],
  [
    'FastAPI, detail as a list',
    422,
    { detail: [{ loc: ['body', 'messages'], msg: 'field required' }] },
    'fix-request',
    'invalid',
  ],
  ['TGI, overload', 429, { error: 'Model is overloaded', error_type: 'overloaded' }, 'retry', 'overloaded'],
  ['TGI, inside a stream', undefined, { error: { message: 'text', http_status_code: 422 } }, 'fix-request', 'invalid'],
  ['TGI, generation', 424, { error: 'Request failed during generation', error_type: 'generation' }, 'retry', 'broken'],
  [
    'llama.cpp, length',
    400,
    { error: { code: 400, message: 'text', type: 'exceed_context_size_error', n_ctx: 64 } },
    'fix-request',
    'too-long',
  ],
  [
    'llama.cpp, loading',
    503,
    { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } },
    'retry',
    'overloaded',
  ],
  [
    'llama.cpp, an image, with the status of a broken server',
    500,
    { error: { code: 500, message: 'image input is not supported - hint: provide the mmproj', type: 'server_error' } },
    'elsewhere',
    'invalid',
  ],
  [
    'LiteLLM, length, with the type of a bad request',
    400,
    openAi('400', 'invalid_request_error', 'litellm.ContextWindowExceededError: litellm.BadRequestError: text'),
    'fix-request',
    'too-long',
  ],
  ['LiteLLM, key', 400, openAi('400', 'no_db_connection', 'No connected db.'), 'elsewhere', 'auth'],
  [
    'LiteLLM, model',
    400,
    openAi('400', 'invalid_request_error', '/chat/completions: Invalid model name passed in model=x.'),
    'elsewhere',
    'model-unknown',
  ],
  ['a proxy with a page', 502, '<html>Bad Gateway</html>', 'retry', 'broken'],
  ['a proxy that waited', 504, '', 'retry', 'timeout'],
  ['a body that is too large', 413, '', 'fix-request', 'too-long'],
  ['a conflict', 409, {}, 'retry', 'broken'],
  ['no such method', 405, {}, 'elsewhere', 'invalid'],
] as const)('a failure is told by code before status: %s', (_, status, body, remedy, kind) => {
  expect(toProviderError(failure(status, body))).toMatchObject({ remedy, kind });
});

test.each([
  [openAi('content_filter')],
  [openAi('content_policy_violation')],
  [{ error: { code: '400', innererror: { code: 'ResponsibleAIPolicyViolation' }, message: 'text' } }],
  [openAi('DataInspectionFailed')],
  [openAi('data_inspection_failed')],
  [openAi('400', 'invalid_request_error', 'litellm.ContentPolicyViolationError: text')],
  [openAi('SensitiveContentDetected')],
  [openAi('InputTextSensitiveContentDetected')],
  [openAi('OutputTextSensitiveContentDetected.Violation')],
  [openAi('InputTextRiskDetection')],
])('a content filter is none of them: %j', (body) => {
  expect(isFiltered(failure(400, body))).toBe(true);
});

test('no text of the provider reaches callers, except its code', () => {
  const error = toProviderError(failure(401, openAi('invalid_api_key', 'x', 'Incorrect API key provided: sk-secret')));
  expect(error.message).not.toContain('sk-secret');
  expect(error.message).toContain('(invalid_api_key)');
  expect(toProviderError(failure(400, openAi('a code with sk-secret in it'))).message).not.toContain('sk-secret');
});

test.each([
  ['false', 503, openAi('server_is_overloaded'), 'elsewhere'],
  ['false', 429, {}, 'elsewhere'],
  ['true', 400, {}, 'retry'],
  ['true', 429, openAi('insufficient_quota'), 'elsewhere'],
  ['true', 500, {}, 'retry'],
] as const)('x-should-retry: %s beats status %i, but not a code that knows better', (should, status, body, remedy) => {
  expect(toProviderError(failure(status, body, { 'x-should-retry': should })).remedy).toBe(remedy);
});

test('the wait is reported only for failures that a retry can fix', () => {
  expect(toProviderError(failure(429, {}, { 'retry-after': '7' })).retryAfterMs).toBe(7000);
  expect(
    toProviderError(failure(429, openAi('insufficient_quota'), { 'retry-after': '7' })).retryAfterMs,
  ).toBeUndefined();
  expect(toProviderError(failure(429, {})).retryAfterMs).toBeUndefined();
});

test.each([
  ['Rate limit reached for gpt. Please try again in 1.2s. Visit …', 1200],
  ['Please try again in 340ms.', 340],
  ['Please retry after 26 seconds.', 26_000],
])('without a header, the wait is read from the text: %s', (message, ms) => {
  expect(toProviderError(failure(429, openAi('rate_limit_exceeded', 'tokens', message))).retryAfterMs).toBe(ms);
});

test.each([
  ['ECONNREFUSED', 'retry', 'broken'],
  ['UND_ERR_CONNECT_TIMEOUT', 'retry', 'timeout'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'elsewhere', 'auth'],
  ['SOMETHING_NEW', 'retry', 'broken'],
])('a connection that fails is told by the code of the network: %s', (code, remedy, kind) => {
  const thrown = new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) });
  expect(connectionError(thrown)).toMatchObject({ remedy, kind, code, cause: thrown });
});
