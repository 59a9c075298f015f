import { create, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { type AgentCard, AgentCardSchema } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { sendJson } from '../http/error.ts';
import type { JsonRoute } from '../http/json-route.ts';
import { baseOf, type OAuthSettings } from '../mcp/oauth.ts';
import { jsonType, markdownType } from './request.ts';
import { protocolVersion } from './versions.ts';

/** Path of the card. */
export const cardPath = '/.well-known/agent-card.json';

/** Path of the bindings over HTTP. */
export const a2aPath = '/a2a';

/** `GET /.well-known/agent-card.json`: open to everyone, and the same for all. */
export function createCardRoute(settings: () => OAuthSettings): JsonRoute {
  return async (request, response) => {
    const card = cardOf(baseOf(request, settings()), settings().issuer);
    sendJson(response, 200, toJson(AgentCardSchema, card), { 'cache-control': 'public, max-age=300' });
  };
}

function cardOf(base: string, issuer: string | undefined): AgentCard {
  const url = new URL(base);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const http = { url: `${base}${a2aPath}`, protocolVersion };
  const skill: NonNullable<MessageInitShape<typeof AgentCardSchema>['skills']>[number] = {
    id: 'answer',
    name: 'Answer from documents',
    description:
      'Answers a question from the documents that the caller may read, with numbered sources, in Chinese or English. Says so if they have no answer.',
    tags: ['questions', 'documents', 'citations', 'rag'],
    examples: ['How long do refunds take?', '退货的条件是什么？'],
  };
  const bearer = { case: 'httpAuthSecurityScheme' as const, value: { scheme: 'Bearer', description: bearerText } };
  const key = { case: 'apiKeySecurityScheme' as const, value: { location: 'header', name: 'x-api-key' } };
  const oidc = issuer !== undefined && {
    oidc: {
      scheme: {
        case: 'openIdConnectSecurityScheme' as const,
        value: { openIdConnectUrl: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration` },
      },
    },
  };
  const names = ['bearer', 'key', ...(oidc ? ['oidc'] : [])];
  return create(AgentCardSchema, {
    name: 'ragmesh',
    description: 'Answers questions from documents, with sources.',
    supportedInterfaces: [
      { ...http, protocolBinding: 'JSONRPC' },
      { ...http, protocolBinding: 'HTTP+JSON' },
      { url: `${url.hostname}:${port}`, protocolBinding: 'GRPC', protocolVersion },
    ],
    version: '1',
    capabilities: { streaming: true, pushNotifications: false, extendedAgentCard: false },
    securitySchemes: { bearer: { scheme: bearer }, key: { scheme: key }, ...oidc },
    securityRequirements: names.map((name) => ({ schemes: { [name]: {} } })),
    defaultInputModes: ['text/plain', markdownType],
    defaultOutputModes: [markdownType, jsonType],
    skills: [skill],
  });
}

const bearerText = 'A key of ragmesh, or a token of its identity provider. It names the tenant.';
