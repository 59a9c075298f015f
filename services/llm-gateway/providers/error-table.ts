import type { ProviderFailure } from './error.ts';

/** The class of a failure: its kind, and what can help. */
export interface FailureClass {
  remedy: ProviderFailure['remedy'];
  kind: NonNullable<ProviderFailure['kind']>;
  /** In the gateway's own words. */
  message: string;
}

const failureClasses = {
  quota: {
    remedy: 'elsewhere',
    kind: 'quota',
    message: 'the provider refused the request because of quota or billing',
  },
  auth: { remedy: 'elsewhere', kind: 'auth', message: 'the provider refused the key: check the key and its access' },
  model: {
    remedy: 'elsewhere',
    kind: 'model-unknown',
    message: 'the provider does not know the model: check its name and the address',
  },
  lacks: { remedy: 'elsewhere', kind: 'invalid', message: 'the provider lacks a feature that the request needs' },
  rate: { remedy: 'retry', kind: 'rate-limited', message: "the provider's rate limit is reached" },
  overloaded: { remedy: 'retry', kind: 'overloaded', message: 'the provider is overloaded' },
  timeout: { remedy: 'retry', kind: 'timeout', message: 'the provider did not answer in time' },
  broken: { remedy: 'retry', kind: 'broken', message: 'the provider failed' },
  unreachable: { remedy: 'retry', kind: 'broken', message: 'the connection to the provider failed or was refused' },
  tls: { remedy: 'elsewhere', kind: 'auth', message: "the provider's certificate is not trusted: check the address" },
  long: { remedy: 'fix-request', kind: 'too-long', message: 'the request is longer than the context of the model' },
  invalid: { remedy: 'fix-request', kind: 'invalid', message: 'the provider rejected the request as invalid' },
} as const satisfies Record<string, FailureClass>;

type FailureClassName = keyof typeof failureClasses;

// Codes in lower case, by what they mean. Sources: OpenAI, platform.openai.com/docs/guides/error-codes; Azure OpenAI,
// learn.microsoft.com/azure/ai-services/openai; Anthropic, docs.claude.com/en/api/errors; Alibaba Model Studio,
// alibabacloud.com/help/en/model-studio/error-code; Volcano Engine Ark, volcengine.com/docs/82379/1299023; vLLM, Xinference, TGI,
// Ollama and llama.cpp, their source; the network, Node.js and undici.
const codes: Record<FailureClassName | 'filtered', readonly string[]> = {
  filtered: [
    'contentpolicyviolationerror',
    'content_filter',
    'content_policy_violation',
    'responsibleaipolicyviolation',
    'datainspectionfailed',
    'data_inspection_failed',
    'riskdetection',
  ],
  quota: [
    'budget_exceeded',
    'budgetexceedederror',
    'insufficient_quota',
    'credit_balance_exhausted',
    'billing_hard_limit_reached',
    'billing_not_active',
    'billing_error',
    'account_deactivated',
    'organization_spend_limit_exceeded',
    'project_spend_limit_exceeded',
    'organization_usage_limit_exceeded',
    'enforced_spend_limit_reached',
    'quotaexceeded',
    'setlimitexceeded',
    'arrearage',
    'accountoverdueerror',
    'allocationquota.freetieronly',
    'prepaidbilloverdue',
    'postpaidbilloverdue',
    'commoditynotpurchased',
    'invalidsubscription',
    'inferencelimitexceeded',
  ],
  auth: [
    // LiteLLM without a database does not know the key.
    'no_db_connection',
    'token_not_found_in_db',
    'auth_error',
    'invalid_api_key',
    'invalidapikey',
    'incorrect_api_key',
    'authentication_error',
    'authenticationerror',
    'permission_error',
    'permissiondenied',
    'permissiondeniederror',
    'accessdenied',
    'access_denied',
    'accessdenied.unpurchased',
    'model.accessdenied',
    'workspace.accessdenied',
    'invalid_organization',
    'unsupported_country_region_territory',
    'operationdenied',
  ],
  model: [
    'model_not_found',
    'modelnotfound',
    'model_not_supported',
    'modelnotopen',
    'deploymentnotfound',
    'invalidendpointormodel.notfound',
    'invalidendpointormodel.modelidaccessdisabled',
    'invalidendpoint.notfound',
    'invalidendpoint.closedendpoint',
    'unsupportedmodel',
    'notfounderror',
    'not_found_error',
  ],
  lacks: [
    'unsupported_parameter',
    'unsupported_value',
    'operationnotsupported',
    'not_supported_error',
    'unsupported_feature',
  ],
  rate: [
    'ratelimiterror',
    'throttling_error',
    'rate_limit_exceeded',
    'rate_limit_error',
    'ratelimitreached',
    'slow_down',
    'too_many_requests',
    'toomanyrequests',
    'limit_requests',
    'limit_burst_rate',
    'throttling',
    'throttling.ratequota',
    'throttling.burstrate',
    'throttling.allocationquota',
    'limit_tokens',
    'ratelimitexceeded.endpointrpmexceeded',
    'ratelimitexceeded.endpointtpmexceeded',
    'modelaccountrpmratelimitexceeded',
    'modelaccounttpmratelimitexceeded',
    'modelaccountipmratelimitexceeded',
    'accountratelimitexceeded',
    'apiaccountrpmratelimitexceeded',
    'requestbursttoofast',
    'inflightbatchsizeexceeded',
  ],
  overloaded: [
    'serviceunavailableerror',
    'server_is_overloaded',
    'overloaded_error',
    'overloaded',
    'serveroverloaded',
    'engine_overloaded',
    'modelservingerror',
    'model_unavailable',
    'modelunavailable',
    'modelloadingerror',
    'serviceunavailable',
    'service_unavailable',
    'unavailable_error',
    'nocapacity',
  ],
  timeout: [
    'timeout',
    'timeout_error',
    'request_timeout',
    'requesttimeout',
    'responsetimeout',
    'internalerror.timeout',
    'etimedout',
    'und_err_connect_timeout',
    'und_err_headers_timeout',
    'und_err_body_timeout',
  ],
  broken: [
    'server_error',
    'api_error',
    'internal_error',
    'internalerror',
    'internalservererror',
    'internal_server_error',
    'internalserviceerror',
    'internalerror.algo',
    'generation',
    'incomplete_generation',
  ],
  unreachable: [
    'econnrefused',
    'econnreset',
    'epipe',
    'enotfound',
    'eai_again',
    'enetunreach',
    'ehostunreach',
    'und_err_socket',
    'hpe_invalid_constant',
  ],
  tls: [
    'self_signed_cert_in_chain',
    'depth_zero_self_signed_cert',
    'unable_to_verify_leaf_signature',
    'unable_to_get_issuer_cert_locally',
    'cert_has_expired',
    'err_tls_cert_altname_invalid',
  ],
  long: [
    'contextwindowexceedederror',
    'context_length_exceeded',
    'context_window_exceeded',
    'string_above_max_length',
    'tokens_limit_reached',
    'request_too_large',
    'exceed_context_size_error',
    'contextlengthexceeded',
    'inputlengthexceeded',
    'oversizeinput',
  ],
  invalid: [],
};

const byCode = new Map<string, FailureClass | 'filtered'>(
  Object.entries(codes).flatMap(([name, words]) =>
    words.map((word) => [word, name === 'filtered' ? name : failureClasses[name as FailureClassName]] as const),
  ),
);

/** Families of codes that share a root. */
const byPattern: readonly (readonly [RegExp, FailureClassName | 'filtered'])[] = [
  [/^(?:input|output)?(?:text|image|video|audio)?(?:sensitivecontentdetected|riskdetection)(?:\.|$)/, 'filtered'],
  [/^(?:sensitivecontent|risk)detect/, 'filtered'],
  [/^throttling\./, 'rate'],
  [/^ratelimitexceeded\./, 'rate'],
  [/ratelimitexceeded$/, 'rate'],
  [/^invalidendpointormodel\./, 'model'],
  [/context_length|context_window|max_length_exceeded/, 'long'],
];

/** Returns the class of a provider's code; `undefined` if it says no more than the status ("invalid_request_error"). */
export function classOfCode(code: string): FailureClass | 'filtered' | undefined {
  const word = code.toLowerCase();
  const known = byCode.get(word);
  if (known !== undefined) return known;
  const name = byPattern.find(([pattern]) => pattern.test(word))?.[1];
  return name === undefined || name === 'filtered' ? name : failureClasses[name];
}

/** Texts of providers that use one code for several failures. */
const byText: readonly (readonly [RegExp, FailureClassName])[] = [
  // vLLM, llama.cpp, Anthropic, DashScope, TGI, Xinference.
  [
    /maximum context length|context length exceeded|exceeds? the (?:available|maximum) context|prompt is too long|range of input length|`?inputs?`? tokens? \+ `?max_new_tokens|exceed context window/i,
    'long',
  ],
  // Anthropic answers both with invalid_request_error.
  [/credit balance is too low|reached your specified (?:api|workspace api) usage limits/i, 'quota'],
  [/api key not valid|incorrect api key/i, 'auth'],
  // llama.cpp answers 500.
  [/image input is not supported/i, 'lacks'],
  // Xinference and LiteLLM answer 400.
  [/model not found in the model list|invalid model name passed/i, 'model'],
];

/** Returns the class of a failure by the provider's text; `undefined`: not known. */
export function classOfMessage(text: string): FailureClass | undefined {
  const name = byText.find(([pattern]) => pattern.test(text))?.[1];
  return name === undefined ? undefined : failureClasses[name];
}

/** Returns the class of a failure by its HTTP status. 529 is Anthropic's overload, 499 a server that cancelled the request. */
export function classOfStatus(status: number | undefined): FailureClass {
  switch (status) {
    case undefined:
      return failureClasses.broken;
    case 401:
    case 403:
    case 407:
      return failureClasses.auth;
    case 402:
      return failureClasses.quota;
    case 404:
    case 410:
      return failureClasses.model;
    case 405:
    case 415:
    case 501:
      return failureClasses.lacks;
    case 408:
    case 504:
      return failureClasses.timeout;
    case 413:
      return failureClasses.long;
    case 429:
      return failureClasses.rate;
    case 503:
    case 529:
      return failureClasses.overloaded;
    case 409:
    case 424:
    case 425:
    case 499:
      return failureClasses.broken;
    default:
      return status >= 400 && status < 500 ? failureClasses.invalid : failureClasses.broken;
  }
}
