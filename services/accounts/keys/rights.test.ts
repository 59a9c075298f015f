import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ApiKeyKind, CreateApiKeyRequestSchema } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { keyRequest } from '../testing/accounts.ts';
import { checkGrant } from './rights.ts';

const now = Date.UTC(2026, 11, 1);
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const roles: Role[] = [Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR, Role.MODEL_USER, Role.ADMINISTRATOR];
const anyRoles = fc.uniqueArray(fc.constantFrom(...roles, Role.PLATFORM_ADMINISTRATOR), { minLength: 1, maxLength: 7 });
const anyGroups = fc.uniqueArray(fc.constantFrom<string[]>('staff', 'hr', 'legal', 'board'), { maxLength: 4 });
// Most requests are well-formed, so that the decision is about rights.
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...others) });
const anyRequest = fc.record({
  tenant: fc.constantFrom('', 'acme', 'bolt'),
  kind: mostly(ApiKeyKind.SERVICE_ACCOUNT, ApiKeyKind.USER),
  user: mostly('', 'bob', 'service/x'),
  groups: anyGroups,
  roles: fc.oneof(anyRoles, fc.constantFrom<Role[]>([Role.READER], [Role.EDITOR], [Role.READER, Role.MODEL_USER])),
  models: mostly([], ['gpt']),
  corpora: mostly([], ['help']),
  addresses: mostly([], ['10.0.0.0/8'], ['nowhere']),
  endsInMs: mostly<number | undefined>(hourMs, undefined, -1, dayMs, dayMs + 1),
  reason: fc.constantFrom('', 'incident 7'),
});
const anyCaller = fc.record({
  own: fc.oneof(anyRoles, fc.constant<Role[]>([...roles, Role.PLATFORM_ADMINISTRATOR])),
  groups: fc.oneof(anyGroups, fc.constant<string[]>(['staff', 'hr', 'legal', 'board'])),
  corpora: mostly<string[]>([], ['help']),
});

test('a key never gets more than its creator may give', () => {
  let grantedCount = 0;
  fc.assert(
    fc.property(anyCaller, anyRequest, ({ own, groups, corpora }, wanted) => {
      const caller = testPrincipal({ roles: own, groups, corpora });
      const { endsInMs, ...fields } = wanted;
      const request = create(CreateApiKeyRequestSchema, {
        ...keyRequest(fields),
        ...(endsInMs !== undefined && { expiresAt: timestampFromMs(now + endsInMs) }),
      });
      try {
        checkGrant(caller, request, now, dayMs);
      } catch {
        return;
      }
      grantedCount++;
      expect(own).toEqual(expect.arrayContaining(wanted.roles));
      expect(caller.corpora).toEqual([]);
      if (wanted.tenant === 'bolt') {
        expect(own).toContain(Role.PLATFORM_ADMINISTRATOR);
        expect(wanted.roles).not.toContain(Role.PLATFORM_ADMINISTRATOR);
        expect(wanted.reason).not.toBe('');
        expect(endsInMs).toBeLessThanOrEqual(dayMs);
      } else {
        expect(groups).toEqual(expect.arrayContaining(wanted.groups));
      }
      // A limit to corpora is only for roles that honor it.
      if (wanted.corpora.length > 0) {
        expect(wanted.roles.every((role) => role === Role.READER || role === Role.MODEL_USER)).toBe(true);
      }
    }),
    { numRuns: 5000 },
  );
  expect(grantedCount).toBeGreaterThan(50);
});
