import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { MatrixError, notFound, tooLarge } from '../../http/errors.ts';
import type { Decision } from '../../policy/decision.ts';
import type { FileFacts } from '../../policy/question.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import { requireAllowed } from '../../rooms/errors.ts';
import type { Database } from '../../storage/database.ts';
import type { MediaRecord } from '../../storage/stores/media-store.ts';
import { makeFolder, syncFolder } from '../files.ts';

/** A partner's file on its way in; federation gives it. */
export interface IncomingFile {
  readonly contentType: string;
  readonly fileName?: string | undefined;
  readonly stream: AsyncIterable<Buffer>;
}

export interface MediaStoreDeps {
  readonly serverName: string;
  readonly directory: string;
  /** Bytes; asked anew for each file. */
  readonly maxUploadSize: () => number;
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** Asks the partner for its file; rejects if the border or the partner refuses. */
  fetchRemote(origin: string, mediaId: string, maxBytes: number): Promise<IncomingFile>;
  /** May one of ours have a partner's file? What is not known of it yet is absent. */
  mayRead(userId: string, origin: string, file: FileFacts): Decision;
  /** May a partner's file that is here now be kept, and given to our people? */
  mayKeep(origin: string, file: FetchedFile): Promise<Decision>;
}

/** A partner's file as it came, its bytes included. */
export interface FetchedFile {
  readonly uri: string;
  /** Bytes. */
  readonly size: number;
  readonly mime: string;
  readonly sha256: string;
  open(): AsyncIterable<Buffer>;
}

export interface StoredFile {
  readonly record: MediaRecord;
  readonly stream: Readable;
}

/** Where files grow until they are complete: no name of a stored file's folder. */
const incomingFolder = 'incoming';
/** What nobody has added to for so long was left by a process that ended in the middle of it. */
const abandonedMs = 3_600_000;

interface Written {
  readonly size: number;
  readonly sha256: string;
}

/**
 * Files: a row in the database and the bytes in a folder. The bytes are on disk before the row is, so a row always
 * has its file. Names of files are hashes: nothing that a partner sends becomes part of a path.
 */
export class MediaStore {
  readonly #deps: MediaStoreDeps;
  readonly #fetching = new Map<string, Promise<MediaRecord>>();

  constructor(deps: MediaStoreDeps) {
    this.#deps = deps;
  }

  /** Removes what an earlier process did not bring to its end. */
  async tidy(): Promise<void> {
    const folder = join(this.#deps.directory, incomingFolder);
    const before = this.#deps.clock.now() - abandonedMs;
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const { mtimeMs } = await stat(path);
      if (mtimeMs < before) await rm(path, { force: true });
    }
  }

  get maxUploadSize(): number {
    return this.#deps.maxUploadSize();
  }

  /** Stores an upload of one of ours; gives its `mxc://` URI. Throws 413 `M_TOO_LARGE`. */
  async upload(
    uploader: string,
    file: {
      readonly contentType: string;
      readonly fileName: string | null;
      readonly stream: AsyncIterable<Buffer>;
    },
  ): Promise<string> {
    const { serverName, random, db, clock } = this.#deps;
    const mediaId = random.bytes(18).toString('base64url');
    const written = await this.#write(serverName, mediaId, file.stream);
    await db.writer.submit({
      label: 'upload',
      ops: db.media.insert({
        ...written,
        mediaId,
        origin: serverName,
        uploader,
        contentType: file.contentType,
        uploadName: file.fileName,
        createdTs: clock.now(),
      }),
    });
    return `mxc://${serverName}/${mediaId}`;
  }

  /**
   * Opens a file for one of ours. A partner's is fetched once and kept, and judged each time: the policy may have
   * changed since. Throws 404 `M_NOT_FOUND`, 403 where the border forbids it.
   */
  async open(reader: string, origin: string, mediaId: string): Promise<StoredFile> {
    const { db, serverName, mayRead } = this.#deps;
    const record = await db.media.get(origin, mediaId);
    if (origin === serverName) {
      if (record === undefined) throw notFound('There is no such file');
      return this.#read(record);
    }
    requireAllowed(mayRead(reader, origin, record === undefined ? {} : factsOf(record)));
    return this.#read(record ?? (await this.#fetch(origin, mediaId)));
  }

  /** Deletes the copy of a partner's file; who asks for it again has it fetched again. */
  async removeRemote(origin: string, mediaId: string): Promise<void> {
    const { db } = this.#deps;
    // The bytes first: whoever goes on after a crash finds the row, and nothing is left behind without one.
    await rm(this.#pathOf(origin, mediaId), { force: true });
    await db.writer.submit({ label: 'remove a file', ops: db.media.remove(origin, mediaId) });
  }

  /** One of our own files, for partners. */
  async openLocal(mediaId: string): Promise<StoredFile | undefined> {
    const record = await this.#deps.db.media.get(this.#deps.serverName, mediaId);
    return record === undefined ? undefined : this.#read(record);
  }

  /** Two readers of one remote file wait for one transfer. */
  #fetch(origin: string, mediaId: string): Promise<MediaRecord> {
    const key = `${origin}/${mediaId}`;
    const running = this.#fetching.get(key);
    if (running !== undefined) return running;
    const fetching = this.#fetchOnce(origin, mediaId).finally(() => this.#fetching.delete(key));
    this.#fetching.set(key, fetching);
    return fetching;
  }

  async #fetchOnce(origin: string, mediaId: string): Promise<MediaRecord> {
    const { db, clock } = this.#deps;
    const file = await this.#deps.fetchRemote(origin, mediaId, this.maxUploadSize);
    const written = await this.#write(origin, mediaId, file.stream);
    const record: MediaRecord = {
      ...written,
      mediaId,
      origin,
      uploader: null,
      contentType: file.contentType,
      uploadName: file.fileName ?? null,
      createdTs: clock.now(),
    };
    try {
      await this.#demandKeeping(record);
      await db.writer.submit({ label: 'remote file', ops: db.media.insert(record) });
    } catch (error) {
      await rm(this.#pathOf(origin, mediaId), { force: true });
      throw error;
    }
    return record;
  }

  async #demandKeeping({ origin, mediaId, size, sha256, contentType }: MediaRecord): Promise<void> {
    const path = this.#pathOf(origin, mediaId);
    const file: FetchedFile = {
      uri: `mxc://${origin}/${mediaId}`,
      size,
      mime: contentType,
      sha256,
      open: () => createReadStream(path),
    };
    requireAllowed(await this.#deps.mayKeep(origin, file));
  }

  async #read(record: MediaRecord): Promise<StoredFile> {
    const path = this.#pathOf(record.origin, record.mediaId);
    try {
      await stat(path);
    } catch (cause) {
      throw new MatrixError(404, 'M_NOT_FOUND', 'The file is no longer in the media store', {}, cause);
    }
    return { record, stream: createReadStream(path) };
  }

  async #write(origin: string, mediaId: string, stream: AsyncIterable<Buffer>): Promise<Written> {
    const { directory, random } = this.#deps;
    const path = this.#pathOf(origin, mediaId);
    const incoming = join(directory, incomingFolder);
    await makeFolder(incoming, { mode: 0o700 });
    const temporary = join(incoming, random.bytes(12).toString('hex'));
    const file = await open(temporary, 'wx', 0o600);
    const hash = createHash('sha256');
    try {
      const size = await copy(stream, file, hash, this.maxUploadSize);
      await file.sync();
      await file.close();
      await makeFolder(dirname(path), { mode: 0o700 });
      await rename(temporary, path);
      await syncFolder(dirname(path));
      return { size, sha256: hash.digest('hex') };
    } catch (error) {
      await file.close().catch(() => undefined);
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #pathOf(origin: string, mediaId: string): string {
    const name = createHash('sha256').update(`${origin}/${mediaId}`).digest('hex');
    return join(this.#deps.directory, name.slice(0, 2), name.slice(2, 4), name);
  }
}

function factsOf({ size, contentType }: MediaRecord): FileFacts {
  return { size, mime: contentType };
}

async function copy(
  stream: AsyncIterable<Buffer>,
  file: FileHandle,
  hash: Hash,
  maxBytes: number,
): Promise<number> {
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(`A file may have at most ${maxBytes} bytes`);
    hash.update(chunk);
    // A disk that is nearly full takes a part and says nothing; the next part fails.
    for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten;
  }
  return size;
}
