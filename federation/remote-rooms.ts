import type { Pdu } from '../protocol/event.ts';
import {
  isValidRoomId,
  isValidServerName,
  parseRoomAlias,
  parseUserId,
  serverNameOf,
} from '../protocol/identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../protocol/json.ts';
import { requireAllowed } from '../rooms/errors.ts';
import { type Invitation, RemoteError, type RemoteRooms, type RemoteTemplate } from '../rooms/ports.ts';
import type { PartnerBorder } from './border/border.ts';
import type { LinkManager } from './link/link-manager.ts';
import type { MediaFile } from './media/media.ts';
import { fetchRemoteMedia } from './media/remote-media.ts';
import {
  ask,
  badResponse,
  briefWaitMs,
  federationUri,
  maxBulkBytes,
  type RemoteQuestion,
  serversKey,
} from './remote-request.ts';
import { inviteApprovedPath } from './routes/invite-approved.ts';

/** Joining and fetching state of a large room takes the other side a while. */
const slowMs = 60_000;

/**
 * What our rooms ask of partners, over their links. Answers are checked for shape here; what their events
 * are worth is for the room engine to find out. Rejects with a {@link RemoteError}.
 */
export class LinkRemoteRooms implements RemoteRooms {
  readonly #link: LinkManager;
  readonly #border: PartnerBorder;

  constructor(link: LinkManager, border: PartnerBorder) {
    this.#link = link;
    this.#border = border;
  }

  /** Default deny, on the way out too: nobody is asked who is not an active partner. */
  #ask(server: string, question: RemoteQuestion): Promise<JsonObject> {
    this.#demandPartner(server);
    return ask(this.#link, server, question);
  }

  #demandPartner(server: string): void {
    if (this.#border.mayAsk(server).allowed) return;
    throw new RemoteError('unreachable', `${server} is not an active partner of this server`, {
      status: 403,
      errcode: 'M_FORBIDDEN',
    });
  }

  /** A question that islands know and Matrix does not. */
  askIsland(server: string, uri: string, body: JsonObject): Promise<JsonObject> {
    return this.#ask(server, { method: 'POST', uri, body, priority: 'query' });
  }

  isReachable(server: string): boolean {
    return this.#link.status(server).state === 'connected';
  }

  async makeJoin(
    server: string,
    roomId: string,
    userId: string,
    versions: readonly string[],
  ): Promise<RemoteTemplate> {
    const uri = federationUri(
      'v1',
      ['make_join', roomId, userId],
      versions.map((version) => ['ver', version]),
    );
    return templateOf(server, await this.#ask(server, { method: 'GET', uri, priority: 'query' }));
  }

  async sendJoin(
    server: string,
    roomId: string,
    eventId: string,
    pdu: Pdu,
  ): Promise<{ event?: JsonValue; state: JsonValue[]; authChain: JsonValue[]; origin?: string }> {
    const answer = await this.#ask(server, {
      method: 'PUT',
      uri: federationUri('v2', ['send_join', roomId, eventId]),
      body: pdu as JsonObject,
      priority: 'bulk',
      maxBytes: maxBulkBytes,
      deadlineMs: slowMs,
    });
    const { event, origin } = answer;
    return {
      ...(event === undefined ? {} : { event }),
      ...(typeof origin === 'string' ? { origin } : {}),
      state: listOf(server, answer, 'state'),
      authChain: listOf(server, answer, 'auth_chain'),
    };
  }

  async makeLeave(server: string, roomId: string, userId: string): Promise<RemoteTemplate> {
    const uri = federationUri('v1', ['make_leave', roomId, userId]);
    return templateOf(server, await this.#ask(server, { method: 'GET', uri, priority: 'query' }));
  }

  async sendLeave(server: string, roomId: string, eventId: string, pdu: Pdu): Promise<void> {
    const uri = federationUri('v2', ['send_leave', roomId, eventId]);
    await this.#ask(server, { method: 'PUT', uri, body: pdu as JsonObject, priority: 'query' });
  }

  async invite(
    server: string,
    roomId: string,
    eventId: string,
    body: { roomVersion: string; event: Pdu; inviteRoomState: JsonValue[] },
  ): Promise<JsonValue> {
    const answer = await this.#ask(server, {
      method: 'PUT',
      uri: federationUri('v2', ['invite', roomId, eventId]),
      body: {
        room_version: body.roomVersion,
        event: body.event as JsonObject,
        invite_room_state: body.inviteRoomState,
      },
      priority: 'query',
    });
    if (!isObject(answer['event'])) throw badResponse(server, 'its answer to an invitation holds no event');
    return answer['event'];
  }

  /** Not of Matrix: tells the inviting island that an invitation which we held may come again. */
  async sayApproved({ roomId, inviter, invitee }: Invitation): Promise<void> {
    await this.#ask(serverNameOf(inviter), {
      method: 'POST',
      uri: inviteApprovedPath,
      body: { room_id: roomId, inviter, invitee },
      priority: 'query',
      waitMs: briefWaitMs,
    });
  }

  async event(server: string, eventId: string): Promise<JsonValue> {
    const uri = federationUri('v1', ['event', eventId]);
    const answer = await this.#ask(server, { method: 'GET', uri, priority: 'query', waitMs: briefWaitMs });
    const [pdu] = listOf(server, answer, 'pdus');
    if (pdu === undefined) throw badResponse(server, 'its answer holds no event');
    return pdu;
  }

  async state(
    server: string,
    roomId: string,
    eventId: string,
  ): Promise<{ pdus: JsonValue[]; authChain: JsonValue[] }> {
    const answer = await this.#bulk(server, federationUri('v1', ['state', roomId], [['event_id', eventId]]));
    return { pdus: listOf(server, answer, 'pdus'), authChain: listOf(server, answer, 'auth_chain') };
  }

  async stateIds(
    server: string,
    roomId: string,
    eventId: string,
  ): Promise<{ pduIds: string[]; authChainIds: string[] }> {
    const answer = await this.#bulk(
      server,
      federationUri('v1', ['state_ids', roomId], [['event_id', eventId]]),
    );
    return {
      pduIds: textsOf(server, answer, 'pdu_ids'),
      authChainIds: textsOf(server, answer, 'auth_chain_ids'),
    };
  }

  async eventAuth(server: string, roomId: string, eventId: string): Promise<JsonValue[]> {
    const answer = await this.#bulk(server, federationUri('v1', ['event_auth', roomId, eventId]));
    return listOf(server, answer, 'auth_chain');
  }

  async backfill(
    server: string,
    roomId: string,
    fromEventIds: readonly string[],
    limit: number,
  ): Promise<JsonValue[]> {
    const uri = federationUri(
      'v1',
      ['backfill', roomId],
      [...fromEventIds.map((eventId) => ['v', eventId] as const), ['limit', String(limit)]],
    );
    return listOf(server, await this.#bulk(server, uri), 'pdus');
  }

  async missingEvents(
    server: string,
    roomId: string,
    request: { earliest: readonly string[]; latest: readonly string[]; limit: number; minDepth: number },
  ): Promise<JsonValue[]> {
    const answer = await this.#ask(server, {
      method: 'POST',
      uri: federationUri('v1', ['get_missing_events', roomId]),
      body: {
        earliest_events: [...request.earliest],
        latest_events: [...request.latest],
        limit: request.limit,
        min_depth: request.minDepth,
      },
      priority: 'query',
      maxBytes: maxBulkBytes,
      waitMs: briefWaitMs,
    });
    return listOf(server, answer, 'events');
  }

  #bulk(server: string, uri: string): Promise<JsonObject> {
    return this.#ask(server, {
      method: 'GET',
      uri,
      priority: 'bulk',
      maxBytes: maxBulkBytes,
      deadlineMs: slowMs,
      waitMs: briefWaitMs,
    });
  }

  async resolveAlias(alias: string): Promise<{ roomId: string; servers: string[] }> {
    const server = parseRoomAlias(alias)?.serverName ?? '';
    const uri = federationUri('v1', ['query', 'directory'], [['room_alias', alias]]);
    const answer = await this.#ask(server, { method: 'GET', uri, priority: 'query' });
    const roomId = answer['room_id'];
    if (typeof roomId !== 'string' || !isValidRoomId(roomId))
      throw badResponse(server, 'its answer names no room');
    // Wherever the alias points: a room is joined through partners or not at all.
    const servers = textsOf(server, answer, 'servers').filter(
      (name) => isValidServerName(name) && this.#border.mayTalkTo(name),
    );
    return { roomId, servers: servers.slice(0, 100) };
  }

  async profile(userId: string, asker: string): Promise<{ displayname?: string; avatar_url?: string }> {
    const server = parseUserId(userId)?.serverName ?? '';
    this.#demandPartner(server);
    requireAllowed(this.#border.mayLookUp(asker, userId));
    const uri = federationUri('v1', ['query', 'profile'], [['user_id', userId]]);
    const { displayname, avatar_url } = await this.#ask(server, { method: 'GET', uri, priority: 'query' });
    return {
      ...(typeof displayname === 'string' ? { displayname } : {}),
      ...(typeof avatar_url === 'string' ? { avatar_url } : {}),
    };
  }

  /** A partner's file as a stream; its bytes beyond `maxBytes` make the stream fail. */
  fetchMedia(origin: string, mediaId: string, maxBytes: number): Promise<MediaFile> {
    this.#demandPartner(origin);
    return fetchRemoteMedia({ link: this.#link, border: this.#border }, origin, mediaId, maxBytes);
  }
}

function templateOf(server: string, answer: JsonObject): RemoteTemplate {
  const { room_version: roomVersion, event } = answer;
  if (!isObject(event)) throw badResponse(server, 'its template holds no event');
  const servers = answer[serversKey];
  return {
    // A server that names no version means version 1.
    roomVersion: typeof roomVersion === 'string' ? roomVersion : '1',
    event,
    ...(Array.isArray(servers) ? { servers: servers.filter((name) => typeof name === 'string') } : {}),
  };
}

function listOf(server: string, answer: JsonObject, name: string): JsonValue[] {
  const list = answer[name];
  if (!Array.isArray(list)) throw badResponse(server, `${name} is missing from its answer`);
  return list;
}

function textsOf(server: string, answer: JsonObject, name: string): string[] {
  return listOf(server, answer, name).map((item) => {
    if (typeof item !== 'string') throw badResponse(server, `${name} holds something that is no text`);
    return item;
  });
}
