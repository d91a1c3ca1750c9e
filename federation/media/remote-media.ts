import type { FileFacts } from '../../policy/question.ts';
import { type JsonValue, parseJson } from '../../protocol/json.ts';
import { RoomError, requireAllowed } from '../../rooms/errors.ts';
import { RemoteError } from '../../rooms/ports.ts';
import type { PartnerBorder } from '../border/border.ts';
import type { LinkManager } from '../link/link-manager.ts';
import { badResponse, federationUri, open, refusal } from '../remote-request.ts';
import type { MediaFile } from './media.ts';
import { MultipartError, readMultipart } from './multipart.ts';

const deadlineMs = 10 * 60_000;
const maxErrorBytes = 16 * 1024;

/**
 * Fetches a partner's file: `GET /_matrix/federation/v1/media/download/{mediaId}`. Rejects with a
 * {@link RemoteError}; the stream throws one when the file is longer than `maxBytes` or breaks off. A
 * `Location` is not followed: bytes come from the partner over its link or not at all. A file that the border forbids
 * is refused with a `RoomError`: as soon as its type is known, or as soon as it is longer than its size may be,
 * whatever a message said of it.
 */
export async function fetchRemoteMedia(
  deps: { link: LinkManager; border: PartnerBorder },
  origin: string,
  mediaId: string,
  maxBytes: number,
): Promise<MediaFile> {
  const demand = (facts: FileFacts): void =>
    requireAllowed(deps.border.mayTransferFiles(origin, 'inbound', facts));
  requireAllowed(deps.border.mayBeginTransfer(origin, 'inbound'));
  const response = await open(deps.link, origin, {
    method: 'GET',
    uri: federationUri('v1', ['media', 'download', mediaId]),
    priority: 'media',
    deadlineMs,
  });
  if (response.status !== 200) {
    let body: JsonValue | undefined;
    try {
      body = parseJson(await response.body(maxErrorBytes));
    } catch {
      body = undefined; // The status says enough.
    }
    throw refusal(origin, response.status, body);
  }
  try {
    const file = await readMultipart(response.contentType, response.stream, maxBytes);
    if (file.location !== undefined)
      throw new MultipartError('It points elsewhere instead of sending the file');
    demand({ mime: file.contentType });
    return {
      contentType: file.contentType,
      fileName: file.fileName,
      stream: counted(withRemoteErrors(origin, file.stream), (size) => demand({ size })),
    };
  } catch (cause) {
    response.cancel();
    throw cause instanceof RoomError ? cause : asRemoteError(origin, cause);
  }
}

/** The stream as it is, for as long as its size so far may be. */
async function* counted(
  stream: AsyncIterable<Buffer>,
  demand: (size: number) => void,
): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    demand(size);
    yield chunk;
  }
}

async function* withRemoteErrors(origin: string, stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* stream;
  } catch (cause) {
    throw asRemoteError(origin, cause);
  }
}

function asRemoteError(origin: string, cause: unknown): RemoteError {
  if (cause instanceof MultipartError) return badResponse(origin, cause.message, cause);
  return new RemoteError('unreachable', `${origin}: the file broke off`, { cause });
}
