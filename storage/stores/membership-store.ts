import type { Reader } from '../connection.ts';
import type { InviteRow, MembershipRow } from '../schema/room-tables.ts';
import { inLists, marks } from '../sql.ts';
import type { Position, WriteOp } from '../write-set.ts';

export interface MembershipRecord {
  readonly roomNid: number;
  readonly roomId: string;
  readonly userId: string;
  /** join, invite, leave, ban, knock */
  readonly membership: string;
  readonly eventId: string;
  readonly sender: string;
  /** When it became so. */
  readonly streamPos: number;
  readonly isLocal: boolean;
  readonly displayName: string | null;
  readonly forgotten: boolean;
}

export type NewMembership = Omit<MembershipRecord, 'roomId' | 'streamPos' | 'forgotten'> & {
  readonly streamPos: number | Position;
};

/** An invite of one of our users to a room that we are not in. */
export interface InviteRecord {
  readonly roomId: string;
  readonly userId: string;
  /** Texts of JSON. */
  readonly eventJson: string;
  readonly strippedStateJson: string;
  readonly origin: string;
  /** Rejected or withdrawn: kept so that the user's devices hear of it. */
  readonly ended: boolean;
  /** When it came, or when it ended. */
  readonly streamPos: number;
}

const from = 'SELECT m.*, r.room_id FROM memberships m JOIN rooms r ON r.room_nid = m.room_nid';

/** Who is in which room now, as the resolved state says; and invites to rooms elsewhere. */
export class MembershipStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async get(roomNid: number, userId: string): Promise<MembershipRecord | undefined> {
    const [record] = await this.#read('m.room_nid = ? AND m.user_id = ?', [roomNid, userId]);
    return record;
  }

  /** A user's rooms. Index: memberships_user. */
  ofUser(userId: string, memberships?: readonly string[]): Promise<MembershipRecord[]> {
    return this.#read('m.user_id = ?', [userId], memberships);
  }

  /** A room's users. Index: the key, or memberships_room_membership. */
  inRoom(roomNid: number, memberships?: readonly string[]): Promise<MembershipRecord[]> {
    return this.#read('m.room_nid = ?', [roomNid], memberships);
  }

  /** Those of our own users whose membership in the room is one of these. */
  localInRoom(roomNid: number, memberships: readonly string[]): Promise<MembershipRecord[]> {
    return this.#read('m.room_nid = ? AND m.is_local = 1', [roomNid], memberships);
  }

  /** What changed for a user, in the order of the changes. Index: memberships_user. */
  changesOfUser(userId: string, after: number, upTo: number): Promise<MembershipRecord[]> {
    return this.#read('m.user_id = ? AND m.stream_pos > ? AND m.stream_pos <= ?', [userId, after, upTo]);
  }

  /** What changed in a room, in the order of the changes. Index: memberships_room_stream. */
  changesInRoom(roomNid: number, after: number, upTo: number): Promise<MembershipRecord[]> {
    return this.#read('m.room_nid = ? AND m.stream_pos > ? AND m.stream_pos <= ?', [roomNid, after, upTo]);
  }

  /** Users, local and remote, that are joined to a room to which `userId` is joined too. */
  async sharingARoom(userId: string): Promise<string[]> {
    const rows = await this.#reader.query<{ user_id: string }>(
      "SELECT DISTINCT o.user_id FROM memberships m JOIN memberships o ON o.room_nid = m.room_nid AND o.membership = 'join' WHERE m.user_id = ? AND m.membership = 'join' AND o.user_id <> m.user_id",
      [userId],
    );
    return rows.map((row) => row.user_id);
  }

  /**
   * Is somebody of that server in a room with one of ours, or has it invited them? Invited counts as in the room, on
   * either side. Indexes: memberships_user, memberships_pkey, invites_user.
   */
  async sharesRoomWith(userId: string, serverName: string): Promise<boolean> {
    const suffix = `:${serverName}`;
    const row = await this.#reader.first<{ found: number }>(
      `SELECT 1 AS found FROM memberships m JOIN memberships o ON o.room_nid = m.room_nid
       WHERE m.user_id = ? AND m.membership IN ('join', 'invite') AND o.membership IN ('join', 'invite')
         AND o.is_local = 0 AND substr(o.user_id, length(o.user_id) - ${suffix.length - 1}) = ?
       UNION ALL SELECT 1 FROM invites WHERE user_id = ? AND origin = ? AND ended = 0 LIMIT 1`,
      [userId, suffix, userId, serverName],
    );
    return row !== undefined;
  }

  /** Rooms in which somebody of ours and somebody of that server are joined. No index: for what happens rarely. */
  async sharedWith(serverName: string): Promise<{ roomNid: number; roomId: string }[]> {
    const end = `:${serverName}`;
    const rows = await this.#reader.query<{ room_nid: number; room_id: string }>(
      `SELECT m.room_nid, r.room_id FROM memberships m JOIN rooms r ON r.room_nid = m.room_nid
       WHERE m.is_local = 0 AND m.membership = 'join' AND substr(m.user_id, length(m.user_id) - ? + 1) = ?
       AND EXISTS (SELECT 1 FROM memberships o WHERE o.room_nid = m.room_nid AND o.membership = 'join' AND o.is_local = 1)
       GROUP BY m.room_nid, r.room_id ORDER BY m.room_nid`,
      [end.length, end],
    );
    return rows.map((row) => ({ roomNid: row.room_nid, roomId: row.room_id }));
  }

  /** The membership of a user in the last room that another one of ours is joined to. Index: memberships_user. */
  async inRoomOf(host: string, userId: string): Promise<MembershipRecord | undefined> {
    const rooms = await this.#read(
      "m.user_id = ? AND EXISTS (SELECT 1 FROM memberships o WHERE o.room_nid = m.room_nid AND o.user_id = ? AND o.membership = 'join')",
      [userId, host],
    );
    return rooms.at(-1);
  }

  /** Our own people who share rooms with people of a server, and how many rooms. */
  async peopleWith(serverName: string): Promise<Map<string, number>> {
    return this.localMembersOf((await this.sharedWith(serverName)).map(({ roomNid }) => roomNid));
  }

  /** Our own people who are joined to some of these rooms, and to how many of them. */
  async localMembersOf(roomNids: Iterable<number>): Promise<Map<string, number>> {
    const members = new Map<string, number>();
    for (const { placeholders, params } of inLists(roomNids)) {
      const rows = await this.#reader.query<{ user_id: string; rooms: number }>(
        `SELECT user_id, COUNT(*) AS rooms FROM memberships WHERE room_nid IN (${placeholders}) AND membership = 'join' AND is_local = 1 GROUP BY user_id`,
        params,
      );
      for (const row of rows) members.set(row.user_id, (members.get(row.user_id) ?? 0) + row.rooms);
    }
    return members;
  }

  put(members: readonly NewMembership[]): WriteOp[] {
    if (members.length === 0) return [];
    const rows = members.map((member) => ({
      room_nid: member.roomNid,
      user_id: member.userId,
      membership: member.membership,
      event_id: member.eventId,
      sender: member.sender,
      stream_pos: member.streamPos,
      is_local: member.isLocal ? 1 : 0,
      display_name: member.displayName,
      forgotten: 0,
    }));
    return [{ kind: 'upsert', table: 'memberships', key: ['room_nid', 'user_id'], rows }];
  }

  /** Another event for a membership that stays what it is since when it is. */
  describe(member: Omit<NewMembership, 'streamPos'>): WriteOp[] {
    const { roomNid, userId, eventId, sender, displayName } = member;
    const set = { event_id: eventId, sender, display_name: displayName };
    return [{ kind: 'update', table: 'memberships', set, where: { room_nid: roomNid, user_id: userId } }];
  }

  remove(roomNid: number, userId: string): WriteOp[] {
    return [{ kind: 'delete', table: 'memberships', where: { room_nid: roomNid, user_id: userId } }];
  }

  forget(roomNid: number, userId: string): WriteOp[] {
    const where = { room_nid: roomNid, user_id: userId };
    return [{ kind: 'update', table: 'memberships', set: { forgotten: 1 }, where }];
  }

  /** Rooms with somebody of that server joined or invited. Reads the memberships of all others: not for hot paths. */
  async roomsOf(serverName: string): Promise<string[]> {
    const rows = await this.#reader.query<{ room_id: string }>(
      `SELECT DISTINCT r.room_id FROM memberships m JOIN rooms r ON r.room_nid = m.room_nid
       WHERE m.is_local = 0 AND m.membership IN ('join', 'invite') AND m.user_id LIKE ?`,
      [`%:${serverName}`],
    );
    return rows.map((row) => row.room_id);
  }

  /** One that has not ended. */
  async invite(roomId: string, userId: string): Promise<InviteRecord | undefined> {
    const row = await this.#reader.first<InviteRow>(
      'SELECT * FROM invites WHERE room_id = ? AND user_id = ? AND ended = 0',
      [roomId, userId],
    );
    return row === undefined ? undefined : toInvite(row);
  }

  /** Pending ones and ended ones, in the order of the changes. Index: invites_user. */
  async invitesOf(userId: string): Promise<InviteRecord[]> {
    const rows = await this.#reader.query<InviteRow>(
      'SELECT * FROM invites WHERE user_id = ? ORDER BY stream_pos',
      [userId],
    );
    return rows.map(toInvite);
  }

  putInvite(
    invite: Omit<InviteRecord, 'ended' | 'streamPos'> & { readonly streamPos: number | Position },
  ): WriteOp[] {
    const row = {
      room_id: invite.roomId,
      user_id: invite.userId,
      event_json: invite.eventJson,
      stripped_state_json: invite.strippedStateJson,
      origin: invite.origin,
      ended: 0,
      stream_pos: invite.streamPos,
    };
    return [{ kind: 'upsert', table: 'invites', key: ['room_id', 'user_id'], rows: [row] }];
  }

  endInvite(roomId: string, userId: string, position: Position): WriteOp[] {
    const where = { room_id: roomId, user_id: userId };
    return [{ kind: 'update', table: 'invites', set: { ended: 1, stream_pos: position }, where }];
  }

  removeInvite(roomId: string, userId: string): WriteOp[] {
    return [{ kind: 'delete', table: 'invites', where: { room_id: roomId, user_id: userId } }];
  }

  async #read(
    where: string,
    params: readonly (string | number)[],
    memberships?: readonly string[],
  ): Promise<MembershipRecord[]> {
    if (memberships?.length === 0) return [];
    const condition =
      memberships === undefined ? where : `${where} AND m.membership IN (${marks(memberships.length)})`;
    const rows = await this.#reader.query<MembershipRow & { room_id: string }>(
      `${from} WHERE ${condition} ORDER BY m.stream_pos`,
      [...params, ...(memberships ?? [])],
    );
    return rows.map((row) => ({
      roomNid: row.room_nid,
      roomId: row.room_id,
      userId: row.user_id,
      membership: row.membership,
      eventId: row.event_id,
      sender: row.sender,
      streamPos: row.stream_pos,
      isLocal: row.is_local === 1,
      displayName: row.display_name,
      forgotten: row.forgotten === 1,
    }));
  }
}

function toInvite(row: InviteRow): InviteRecord {
  return {
    roomId: row.room_id,
    userId: row.user_id,
    eventJson: row.event_json,
    strippedStateJson: row.stripped_state_json,
    origin: row.origin,
    ended: row.ended === 1,
    streamPos: row.stream_pos,
  };
}
