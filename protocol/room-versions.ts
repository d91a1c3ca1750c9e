/** The room versions that we speak, and what differs between them (specification, "Room Versions"). */

export type RoomVersionId = '10' | '11' | '12';

export interface RoomVersion {
  readonly id: RoomVersionId;
  /** v12: the room id is the reference hash of the create event, which itself carries none. */
  readonly roomIdIsHash: boolean;
  /** v12: creators have infinite power and stand in no power levels event. */
  readonly creatorsArePrivileged: boolean;
  readonly stateResolution: 'v2' | 'v2.1';
  /** v11 and later: what a redaction keeps; `redacts` is in the content. */
  readonly updatedRedactionRules: boolean;
  /** v10: the creator is `content.creator`; later it is the sender of the create event. */
  readonly creatorInContent: boolean;
}

const v10: RoomVersion = {
  id: '10',
  roomIdIsHash: false,
  creatorsArePrivileged: false,
  stateResolution: 'v2',
  updatedRedactionRules: false,
  creatorInContent: true,
};
const v11: RoomVersion = { ...v10, id: '11', updatedRedactionRules: true, creatorInContent: false };
const v12: RoomVersion = {
  ...v11,
  id: '12',
  roomIdIsHash: true,
  creatorsArePrivileged: true,
  stateResolution: 'v2.1',
};

export const roomVersions: ReadonlyMap<string, RoomVersion> = new Map(
  [v10, v11, v12].map((version) => [version.id, Object.freeze(version)]),
);

export function roomVersion(id: string): RoomVersion | undefined {
  return roomVersions.get(id);
}

export function isRoomVersionId(id: string): id is RoomVersionId {
  return roomVersions.has(id);
}
