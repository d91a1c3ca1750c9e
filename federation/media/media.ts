/** A file as it is handed on: never held in memory as a whole. */
export interface MediaFile {
  readonly contentType: string;
  readonly fileName?: string | undefined;
  /** Bytes, where known. */
  readonly size?: number | undefined;
  readonly stream: AsyncIterable<Buffer>;
}

/** What federation needs of the media repository of this island; the layer above implements it. */
export interface LocalMedia {
  /** A file that was uploaded here; undefined if there is none of that id. */
  open(mediaId: string): Promise<MediaFile | undefined>;
}
