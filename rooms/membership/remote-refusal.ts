import { badGateway, RoomError } from '../errors.ts';
import { RemoteError } from '../ports.ts';

/**
 * What our user is told when a partner's server would not or could not. Its refusals keep their meaning
 * (403, 404, 429, and the 400s that clients know) and say who refused; everything else is a 502 of ours.
 */
export function remoteRefusal(server: string, action: string, error: unknown): unknown {
  if (!(error instanceof RemoteError)) return error;
  // Our own border: nobody was asked.
  if (error.kind === 'unreachable' && error.status === 403)
    return new RoomError(403, 'M_FORBIDDEN', error.message, {}, error);
  if (error.kind !== 'refused')
    return badGateway(`${server} could not be asked to ${action}: ${error.message}`, error);
  const message = `${server} refused the ${action}: ${error.message}`;
  const known = ['M_INCOMPATIBLE_ROOM_VERSION', 'M_UNABLE_TO_AUTHORISE_JOIN', 'M_UNABLE_TO_GRANT_JOIN'];
  if (error.errcode !== undefined && known.includes(error.errcode))
    return new RoomError(400, error.errcode, message, {}, error);
  if (error.status === 403) return new RoomError(403, 'M_FORBIDDEN', message, {}, error);
  if (error.status === 429) return new RoomError(429, 'M_LIMIT_EXCEEDED', message, {}, error);
  if (error.status === 404) return new RoomError(404, 'M_NOT_FOUND', message, {}, error);
  return badGateway(message, error);
}
