import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Notice } from '../../../components/notice.tsx';
import { useOperationTexts } from '../../i18n/index.ts';

/** A secret that the server returns once. */
export function Secret({ secret }: { secret: string }) {
  const texts = useOperationTexts().administration;
  const [isCopied, setCopied] = useState(false);
  return (
    <Notice tone="warning" title={texts.keys.made} testId="secret">
      <p>{texts.keys.madeText}</p>
      <div className="secret">
        <code data-testid="secret-text">{secret}</code>
        <Button
          className="button"
          onPress={async () => {
            await navigator.clipboard.writeText(secret);
            setCopied(true);
          }}
        >
          {isCopied ? texts.copied : texts.copy}
        </Button>
      </div>
    </Notice>
  );
}
