import { randomUUID } from 'node:crypto';
import { notFound, requireAllowed } from '../../rooms/errors.ts';
import type { MediaFile } from '../media/media.ts';
import { multipartOf } from '../media/multipart.ts';
import type { FederationRoute } from './route.ts';

/**
 * A file of ours for a partner: `GET /_matrix/federation/v1/media/download/{mediaId}`, as raw bytes. What we stored
 * decides whether it may leave, not what a message said of it.
 */
export const mediaDownload: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/media/download/:mediaId',
  async handle(request, { border, media, serverName }) {
    const mediaId = request.param('mediaId');
    requireAllowed(border.mayBeginTransfer(request.origin, 'outbound'));
    requireAllowed(await border.mayGiveFile(request.origin, `mxc://${serverName}/${mediaId}`));
    const file: MediaFile | undefined = await media.open(mediaId);
    if (file === undefined) throw notFound('There is no such file');
    const boundary = randomUUID();
    return {
      response: {
        status: 200,
        contentType: `multipart/mixed; boundary=${boundary}`,
        body: multipartOf(file, boundary),
      },
    };
  },
};
