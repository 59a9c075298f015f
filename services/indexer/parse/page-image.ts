/** Which page is wanted, and how large. */
export interface PageWish {
  /** From 1. */
  page: number;
  widthPixels: number;
  /** Most bytes of the image; one that would have more is smaller. */
  bytesMax: number;
}

/** A page as it is displayed. */
export interface PageImage {
  png: Uint8Array;
  /** Of the image, in pixels. */
  width: number;
  height: number;
  /** Of the page, in points. */
  pageWidth: number;
  pageHeight: number;
}

/** The result of a wish; no image: the file has no such page. */
export interface RenderedPage {
  image: PageImage | undefined;
  pageCount: number;
}
