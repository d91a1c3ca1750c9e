import { tooLarge } from '../../http/errors.ts';
import { Reply, type Route, route } from '../../http/route.ts';
import type { ClientApiDeps } from './deps.ts';

/** Shown in the page; everything else is offered for download. No type that a browser would run as a page. */
const inlineTypes = new Set([
  'text/css',
  'text/plain',
  'text/csv',
  'application/json',
  'application/ld+json',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'audio/mp4',
  'audio/webm',
  'audio/aac',
  'audio/mpeg',
  'audio/ogg',
  'audio/wave',
  'audio/wav',
  'audio/x-wav',
  'audio/x-pn-wav',
  'audio/flac',
  'audio/x-flac',
]);

/** The specification's policy for what users have uploaded: it may style itself and do nothing else. */
const contentSecurityPolicy =
  "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';";

/** Uploading, and downloading with an access token. */
export function mediaRoutes({ media }: ClientApiDeps): Route[] {
  const download = (path: string): Route =>
    route({
      method: 'GET',
      path,
      auth: 'user',
      handler: async ({ user, params }) => {
        const { serverName = '', mediaId = '', fileName } = params;
        const { record, stream } = await media.open(user.userId, serverName, mediaId);
        const contentType = headerText(record.contentType);
        return new Reply(200, stream, {
          'Content-Type': contentType,
          'Content-Length': String(record.size),
          'Content-Disposition': disposition(contentType, fileName ?? record.uploadName),
          'Content-Security-Policy': contentSecurityPolicy,
          'Cross-Origin-Resource-Policy': 'cross-origin',
          'X-Content-Type-Options': 'nosniff',
          'Cache-Control': 'private, max-age=86400, immutable',
        });
      },
    });

  return [
    route({
      method: 'POST',
      path: '/_matrix/media/v3/upload',
      auth: 'user',
      handler: async ({ user, query, request }) => {
        if (Number(request.headers['content-length'] ?? 0) > media.maxUploadSize) {
          throw tooLarge(`A file may have at most ${media.maxUploadSize} bytes`);
        }
        const uri = await media.upload(user.userId, {
          contentType: request.headers['content-type'] ?? 'application/octet-stream',
          fileName: query.get('filename'),
          stream: request,
        });
        return { content_uri: uri };
      },
    }),
    route({
      method: 'GET',
      path: ['/_matrix/client/v1/media/config', '/_matrix/media/v3/config'],
      auth: 'user',
      handler: () => ({ 'm.upload.size': media.maxUploadSize }),
    }),
    download('/_matrix/client/v1/media/download/:serverName/:mediaId'),
    download('/_matrix/client/v1/media/download/:serverName/:mediaId/:fileName'),
  ];
}

function disposition(contentType: string, fileName: string | null): string {
  const bare = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  const kind = inlineTypes.has(bare) ? 'inline' : 'attachment';
  if (fileName === null || fileName === '') return kind;
  if (/^[\x20-\x7e]+$/.test(fileName)) return `${kind}; filename="${fileName.replace(/["\\]/g, '\\$&')}"`;
  return `${kind}; filename*=utf-8''${encodeURIComponent(fileName).replace(/['()*]/g, percent)}`;
}

/** What RFC 8187 wants encoded and `encodeURIComponent` leaves. */
function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** A type that cannot stand in a header, as a partner may send it, tells nothing. */
function headerText(contentType: string): string {
  return /^[\x20-\x7e]{1,255}$/.test(contentType) ? contentType : 'application/octet-stream';
}
