import type { Client } from '@connectrpc/connect';
import { useMutation } from '@tanstack/react-query';
import { Button } from 'react-aria-components/Button';
import type { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Notice } from '../../../components/notice.tsx';
import { formatCount } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { ActionFailure } from '../../ui/reply.tsx';

/** A check of a long chain reads all of it. */
const timeoutMs = 300_000;

/** Recomputes the chain of hashes, and says what it found. */
export function ChainCheck({ client }: { client: Client<typeof AuditService> }) {
  const texts = useOperationTexts().administration.audit;
  const { tag } = useMessages();
  const check = useMutation({ mutationFn: () => client.verifyChain({}, { timeoutMs }) });
  const { data } = check;
  const count = (value: bigint) => formatCount(value, tag);
  return (
    <>
      <Button className="button" isDisabled={check.isPending} onPress={() => check.mutate()} data-testid="verify-chain">
        {check.isPending ? texts.verifying : texts.verify}
      </Button>
      <ActionFailure error={check.error} />
      {data !== undefined && (
        <Notice
          tone={data.intact ? 'plain' : 'error'}
          title={data.intact ? texts.intact(count(data.entryCount)) : texts.broken(count(data.firstBadSequence))}
          testId="chain"
        >
          {!data.intact && <p>{texts.brokenText}</p>}
          {data.erasedCount > 0n && <p>{texts.erased(count(data.erasedCount))}</p>}
          {data.redactedCount > 0n && <p>{texts.redacted(count(data.redactedCount))}</p>}
          {data.keyMissingCount > 0n && <p>{texts.keysMissing(count(data.keyMissingCount))}</p>}
        </Notice>
      )}
    </>
  );
}
