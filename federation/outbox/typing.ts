import { encodeBase64Url } from '../../protocol/base64.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import type { RoomView } from '../../rooms/types.ts';
import type { PartnerBorder } from '../border/border.ts';
import { volatileLane } from '../lanes.ts';
import type { LinkManager } from '../link/link-manager.ts';
import { federationUri } from '../remote-request.ts';

const deadlineMs = 10_000;

/**
 * Sends a typing notice to the partners in a room that have a link now. It rides outside of the stored
 * transactions: nothing is kept, nothing is repeated, and nobody hears of a failure.
 */
export function sendTyping(
  deps: { serverName: string; link: LinkManager; border: PartnerBorder; clock: Clock; random: Random },
  notice: { room: RoomView; userId: string; typing: boolean; servers: Iterable<string> },
): void {
  const { serverName, link, border, clock, random } = deps;
  const { room, userId, typing } = notice;
  const body = Buffer.from(
    JSON.stringify({
      origin: serverName,
      origin_server_ts: clock.now(),
      pdus: [],
      edus: [{ edu_type: 'm.typing', content: { room_id: room.roomId, user_id: userId, typing } }],
    }),
  );
  for (const server of new Set(notice.servers)) {
    if (server === serverName || link.status(server).state !== 'connected') continue;
    if (!border.mayTell(server, 'typing', userId, room)) continue;
    link
      .request(server, {
        method: 'PUT',
        uri: federationUri('v1', ['send', `typing-${encodeBase64Url(random.bytes(9))}`]),
        contentType: 'application/json',
        body,
        priority: 'edu',
        deadlineMs,
        headers: { lane: volatileLane },
      })
      .then(
        (response) => response.body(),
        () => undefined,
      )
      .catch(() => undefined); // A sign of life that did not arrive is not missed.
  }
}
