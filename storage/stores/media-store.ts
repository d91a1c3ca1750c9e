import type { Reader } from '../connection.ts';
import type { MediaRow } from '../schema/user-tables.ts';
import type { WriteOp } from '../write-set.ts';

/** What we know of a file; the file itself lies in the media store's folder. */
export interface MediaRecord {
  readonly mediaId: string;
  /** The server that it comes from. */
  readonly origin: string;
  readonly uploader: string | null;
  readonly contentType: string;
  readonly uploadName: string | null;
  /** In bytes. */
  readonly size: number;
  readonly sha256: string;
  readonly createdTs: number;
}

/** Uploads, and copies of partners' files. */
export class MediaStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async get(origin: string, mediaId: string): Promise<MediaRecord | undefined> {
    const row = await this.#reader.first<MediaRow>('SELECT * FROM media WHERE media_id = ? AND origin = ?', [
      mediaId,
      origin,
    ]);
    return row === undefined
      ? undefined
      : {
          mediaId: row.media_id,
          origin: row.origin,
          uploader: row.uploader,
          contentType: row.content_type,
          uploadName: row.upload_name,
          size: row.size,
          sha256: row.sha256,
          createdTs: row.created_ts,
        };
  }

  /** Files of a server that are here since before that time. */
  async olderThan(origin: string, before: number, limit: number): Promise<string[]> {
    const rows = await this.#reader.query<{ media_id: string }>(
      'SELECT media_id FROM media WHERE origin = ? AND created_ts < ? LIMIT ?',
      [origin, before, limit],
    );
    return rows.map((row) => row.media_id);
  }

  remove(origin: string, mediaId: string): WriteOp[] {
    return [{ kind: 'delete', table: 'media', where: { media_id: mediaId, origin } }];
  }

  /** Of two fetches of one remote file the first stays. */
  insert(media: MediaRecord): WriteOp[] {
    const row = {
      media_id: media.mediaId,
      origin: media.origin,
      uploader: media.uploader,
      content_type: media.contentType,
      upload_name: media.uploadName,
      size: media.size,
      sha256: media.sha256,
      created_ts: media.createdTs,
    };
    return [{ kind: 'insert', table: 'media', rows: [row], orIgnore: true }];
  }
}
