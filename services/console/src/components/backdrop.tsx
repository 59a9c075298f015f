import { useMessages } from '../i18n/index.ts';

/** Darkens the page below a rail or panel that covers it; a click closes that. The keyboard has Escape for it. */
export function Backdrop({ onClick }: { onClick: () => void }) {
  const texts = useMessages();
  return <button type="button" className="backdrop" aria-label={texts.close} tabIndex={-1} onClick={onClick} />;
}
