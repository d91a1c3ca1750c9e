import type { JsonObject } from '../../protocol/json.ts';
import { isObject } from '../../protocol/json.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import type { SystemUser } from './system-user.ts';

export const noticeTag = 'm.server_notice';

/**
 * The room in which each user gets server notices ("Server Notices"): the one that the system user made for them and
 * is in. Users are invited; who has left it is invited to it again.
 */
export class NoticeRooms {
  readonly #db: Database;
  readonly #engine: RoomEngine;
  readonly #system: SystemUser;
  readonly #name: string;

  constructor(deps: { db: Database; engine: RoomEngine; system: SystemUser; roomName: string }) {
    this.#db = deps.db;
    this.#engine = deps.engine;
    this.#system = deps.system;
    this.#name = deps.roomName;
  }

  /** The user's room, made if there is none. Calls for one user must not overlap. */
  async of(userId: string): Promise<string> {
    const { userId: system } = this.#system;
    const known = await this.#db.memberships.inRoomOf(system, userId);
    const roomId = known?.roomId ?? (await this.#make(userId));
    await this.#tag(userId, roomId);
    if (known !== undefined && known.membership !== 'join' && known.membership !== 'invite')
      await this.#engine.invite(system, roomId, userId);
    return roomId;
  }

  /** With the room comes the invitation, in one commit: there is no room without its user. */
  async #make(userId: string): Promise<string> {
    await this.#system.ensure();
    const { roomId } = await this.#engine.createRoom(this.#system.userId, {
      name: this.#name,
      preset: 'private_chat',
      invite: [userId],
      creationContent: { 'm.federate': false },
      initialState: [{ type: 'org.archipelago.room_class', content: { class: 'internal' } }],
      // The room is for reading.
      powerLevelContentOverride: { events_default: 50, invite: 50 },
    });
    return roomId;
  }

  async #tag(userId: string, roomId: string): Promise<void> {
    const { accountData, writer } = this.#db;
    const record = await accountData.get(userId, roomId, 'm.tag');
    // Written by clients as checked JSON, or here.
    const content = record === undefined ? {} : (JSON.parse(record.content) as JsonObject);
    const tags = isObject(content['tags']) ? content['tags'] : {};
    if (tags[noticeTag] !== undefined) return;
    const tagged = { ...content, tags: { ...tags, [noticeTag]: {} } };
    await writer.submit({
      label: 'tag of a notice room',
      ops: accountData.put({ userId, roomId, type: 'm.tag', content: JSON.stringify(tagged) }),
      notes: [{ stream: 'account_data', key: userId }],
    });
  }
}
