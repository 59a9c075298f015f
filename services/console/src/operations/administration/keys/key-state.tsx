import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { ApiKey } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Badge } from '../../ui/badge.tsx';

/** Reports whether calls with a key are accepted. */
export function isValid({ revokedAt, expiresAt }: ApiKey, nowMs: number): boolean {
  return revokedAt === undefined && (expiresAt === undefined || timestampMs(expiresAt) > nowMs);
}

/** Whether a key is valid, and whether it is break-glass access. */
export function KeyState({ apiKey }: { apiKey: ApiKey }) {
  const texts = useOperationTexts().administration.keys;
  const state = isValid(apiKey, Date.now()) ? 'valid' : apiKey.revokedAt === undefined ? 'expired' : 'revoked';
  return (
    <span className="badges">
      <Badge tone={state === 'valid' ? 'good' : 'plain'}>{texts.states[state]}</Badge>
      {apiKey.breakGlassReason !== '' && <Badge tone="warning">{texts.breakGlass}</Badge>}
    </span>
  );
}
