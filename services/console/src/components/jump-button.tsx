import { type RefObject, useEffect, useRef, useState } from 'react';
import { useMessages } from '../i18n/index.ts';
import { Icon } from './icon.tsx';

/** A button that scrolls to the end of the text, while the end is not visible. */
export function JumpButton({ scroller }: { scroller: RefObject<HTMLElement | null> }) {
  const texts = useMessages();
  const end = useRef<HTMLDivElement>(null);
  const [away, setAway] = useState(false);
  useEffect(() => {
    if (end.current === null) return;
    const observer = new IntersectionObserver(([entry]) => setAway(entry?.isIntersecting === false), {
      root: scroller.current,
      rootMargin: '0px 0px 60px',
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [scroller]);
  return (
    <>
      <div className="jump">
        {away && (
          <button
            type="button"
            className="icon-button"
            aria-label={texts.toEnd}
            title={texts.toEnd}
            onClick={() => end.current?.scrollIntoView({ block: 'end' })}
            data-testid="jump"
          >
            <Icon name="down_small" />
          </button>
        )}
      </div>
      <div className="end" ref={end} />
    </>
  );
}
