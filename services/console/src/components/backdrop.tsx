/** Darkens the page below a rail or panel that covers it; a click closes that. */
export function Backdrop({ onClick }: { onClick: () => void }) {
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: Escape does the same
    <div className="backdrop" onClick={onClick} />
  );
}
