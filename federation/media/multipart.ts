import type { MediaFile } from './media.ts';

/** More than this many bytes of headers or of JSON is not what the specification has in mind. */
const maxPreambleBytes = 16 * 1024;

/** A file as `multipart/mixed`: a JSON part with an empty object, then the bytes (content repository, 1.11). */
export async function* multipartOf(file: MediaFile, boundary: string): AsyncGenerator<Buffer> {
  const disposition =
    file.fileName === undefined
      ? 'attachment'
      : `attachment; filename*=UTF-8''${encodeURIComponent(file.fileName).replace(/['()*]/g, percent)}`;
  yield Buffer.from(
    `--${boundary}\r\nContent-Type: application/json\r\n\r\n{}\r\n--${boundary}\r\n` +
      `Content-Type: ${headerText(file.contentType)}\r\nContent-Disposition: ${disposition}\r\n\r\n`,
  );
  yield* file.stream;
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function headerText(text: string): string {
  return /^[\x20-\x7e]{1,255}$/.test(text) ? text : 'application/octet-stream';
}

export class MultipartError extends Error {}

/** What a partner sent in answer to a download: the file itself, or where it is (which is never followed). */
export interface MultipartFile {
  readonly contentType: string;
  readonly fileName: string | undefined;
  readonly location: string | undefined;
  /** The bytes of the second part, at most `maxBytes` or it throws a {@link MultipartError}. */
  readonly stream: AsyncIterable<Buffer>;
}

/**
 * Takes a `multipart/mixed` answer apart as it arrives; memory stays bounded by a chunk and the boundary.
 * Throws a {@link MultipartError} for anything that is not two parts.
 */
export async function readMultipart(
  contentType: string | undefined,
  source: AsyncIterable<Buffer>,
  maxBytes: number,
): Promise<MultipartFile> {
  const boundary = boundaryOf(contentType);
  const reader = new PartReader(source[Symbol.asyncIterator]());
  await reader.until(Buffer.from(`--${boundary}`)); // What stands before the first part means nothing.
  const between = Buffer.from(`\r\n--${boundary}`);
  await reader.until(Buffer.from('\r\n'));
  await reader.until(between); // The JSON part: metadata, none defined yet.
  const rest = await reader.until(Buffer.from('\r\n'));
  if (rest.toString().trim() !== '') throw new MultipartError('There is no file part');
  const headers = headersOf(await reader.headers());
  return {
    contentType: headers.get('content-type') ?? 'application/octet-stream',
    fileName: fileNameOf(headers.get('content-disposition')),
    location: headers.get('location'),
    stream: reader.stream(between, maxBytes),
  };
}

function boundaryOf(contentType: string | undefined): string {
  const match = /^multipart\/mixed\s*;.*?\bboundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i.exec(
    contentType ?? '',
  );
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw new MultipartError('The answer is not multipart/mixed');
  return boundary;
}

function headersOf(block: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of block.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

function fileNameOf(disposition: string | undefined): string | undefined {
  const extended = /filename\*=utf-8''([^;\s]+)/i.exec(disposition ?? '')?.[1];
  if (extended !== undefined) {
    try {
      return decodeURIComponent(extended);
    } catch {
      return undefined; // Not percent-encoded text: the file has no name then.
    }
  }
  const plain = /filename=(?:"([^"]*)"|([^;\s]+))/i.exec(disposition ?? '');
  return plain?.[1] ?? plain?.[2];
}

class PartReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterator<Buffer>) {
    this.#source = source;
  }

  /** Adds the next chunk; false at the end of the source. */
  async #fill(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#buffer = this.#buffer.length === 0 ? next.value : Buffer.concat([this.#buffer, next.value]);
    return true;
  }

  /** What stands before `mark`; the mark itself is taken away too. */
  async until(mark: Buffer): Promise<Buffer> {
    for (;;) {
      const at = this.#buffer.indexOf(mark);
      if (at >= 0) {
        const before = this.#buffer.subarray(0, at);
        this.#buffer = this.#buffer.subarray(at + mark.length);
        return before;
      }
      if (this.#buffer.length > maxPreambleBytes) throw new MultipartError('A part has no end');
      if (!(await this.#fill())) throw new MultipartError('The answer ends in the middle');
    }
  }

  async headers(): Promise<string> {
    while (this.#buffer.length < 2) if (!(await this.#fill())) break;
    if (this.#buffer.subarray(0, 2).toString() === '\r\n') {
      this.#buffer = this.#buffer.subarray(2);
      return '';
    }
    return (await this.until(Buffer.from('\r\n\r\n'))).toString('utf8');
  }

  async *stream(mark: Buffer, maxBytes: number): AsyncGenerator<Buffer> {
    let total = 0;
    try {
      for (;;) {
        const at = this.#buffer.indexOf(mark);
        // Without the mark, its first bytes may still be the last ones of the buffer.
        const ready = at >= 0 ? at : Math.max(0, this.#buffer.length - mark.length + 1);
        if (ready > 0) {
          total += ready;
          if (total > maxBytes) throw new MultipartError('The file is too large');
          yield this.#buffer.subarray(0, ready);
          this.#buffer = this.#buffer.subarray(ready);
        }
        if (at >= 0) return;
        if (!(await this.#fill())) throw new MultipartError('The file ends in the middle');
      }
    } finally {
      await this.#source.return?.();
    }
  }
}
