/** Drawings on a 24 by 24 grid, in strokes of the text's colour. */
const shapes = {
  plus: 'M12 5v14M5 12h14',
  trash: 'M4 7h16M9 7V4.5h6V7M6.5 7l.8 12.5h9.4L17.5 7M10 11v5M14 11v5',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  up: 'M7 10.5v9H4v-9zM7 10.5 11 3.6c1.4 0 2.3 1 2.1 2.4L12.6 9H18c1.4 0 2.3 1.2 2 2.5l-1.4 6.3c-.2 1-1.1 1.7-2.1 1.7H7',
  down: 'M17 13.500v-9h3v9zM17 13.500 13 20.400c-1.4 0-2.300-1-2.100-2.400l.500-3H6c-1.400 0-2.300-1.200-2-2.500l1.400-6.300c.200-1 1.100-1.700 2.100-1.700H17',
  copy: 'M9 9h10.500v10.500H9zM15 9V4.500H4.500V15H9',
  close: 'M6 6l12 12M18 6 6 18',
  menu: 'M4 7h16M4 12h16M4 17h10',
  key: 'M14.500 9.500a4.500 4.500 0 1 0-3.600 4.400L13 16h2.500v2.500H18V21h3v-3.500l-6.800-6.800c.200-.400.300-.800.300-1.200zM8.500 8.500h.01',
  external: 'M13.500 5H19v5.500M19 5l-8.500 8.500M16 14v5H5V8h5',
  info: 'M12 11v5.500M12 7.500h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  warning: 'M12 9.500v4.500M12 17h.01M12 3.500 2.500 20h19z',
  bolt: 'M13 3 5 13.500h6L10.500 21 19 10h-6z',
  chart: 'M5 20V11M10 20V5M15 20v-7M20 20V8',
  target: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z',
  check: 'M5 12.500 10 17.500 19 7',
  down_small: 'M7 10l5 5 5-5',
  back: 'M14.500 6l-6 6 6 6',
  forward: 'M9.500 6l6 6-6 6',
  again: 'M19.500 12a7.500 7.500 0 1 1-2.300-5.400L19.500 9M19.500 4v5h-5',
  talk: 'M4.500 5h15v11h-8.500L7 19.500V16H4.500z',
  search: 'M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM15.500 15.500 20 20',
  library: 'M5 4v16M9.500 4v16M14 4.500l4.500 15.200',
  language:
    'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3.500 12h17M12 3c2.600 2.600 3.800 5.600 3.800 9s-1.200 6.400-3.800 9c-2.600-2.600-3.800-5.600-3.800-9S9.400 5.600 12 3z',
} as const;

/** A drawing; always beside or inside something that names it, so it is hidden from screen readers. */
export function Icon({ name, size = 18 }: { name: keyof typeof shapes; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}

/** The mark of the product: a citation's brackets around its source. */
export function Mark() {
  return (
    <svg className="mark" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M12 8H8v16h4M20 8h4v16h-4" />
      <circle cx="16" cy="16" r="2.6" />
    </svg>
  );
}
