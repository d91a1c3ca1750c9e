import { randomUUID } from 'node:crypto';
import { explain } from '../../policy/decision.ts';
import { forbidden, notFound } from '../../rooms/errors.ts';
import type { MediaFile } from '../media.ts';
import { multipartOf } from '../multipart.ts';
import type { FederationRoute } from './route.ts';

/** A file of ours for a partner: `GET /_matrix/federation/v1/media/download/{mediaId}`, as raw bytes. */
export const mediaDownload: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/media/download/:mediaId',
  async handle(request, { border, media }) {
    const decision = border.mayTransferFiles(request.origin, 'outbound');
    if (!decision.allowed) throw forbidden(explain(decision));
    const file: MediaFile | undefined = await media.open(request.param('mediaId'));
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
