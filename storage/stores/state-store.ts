import { type StateKey, splitStateKey, stateKeyOf } from '../../protocol/event.ts';
import type { Reader } from '../connection.ts';
import type { StateGroupRow } from '../schema/room-tables.ts';
import type { Position, WriteOp } from '../write-set.ts';

/** A chain of changes gets a full copy after so many, so that reads stay short. */
export const maxChainLength = 100;

export interface StateGroupRecord {
  readonly groupNid: number;
  readonly roomNid: number;
  readonly prevGroup: number | null;
  /** How many groups lie below it. */
  readonly chainLength: number;
}

/** A group and those below it. `level` counts from the group itself. */
const chain = `WITH RECURSIVE chain (group_nid, prev_group, level) AS (
    SELECT group_nid, prev_group, 0 FROM state_groups WHERE group_nid = ?
    UNION ALL
    SELECT g.group_nid, g.prev_group, c.level + 1 FROM chain c JOIN state_groups g ON g.group_nid = c.prev_group
  )`;

/** States of rooms at points of their history. A group holds what differs from the group below it. */
export class StateStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** A whole state: (type, state key) to event id; empty for a group that we do not have. */
  async load(groupNid: number): Promise<Map<StateKey, string>> {
    const rows = await this.#reader.query<{ type: string; state_key: string; event_id: string }>(
      `${chain} SELECT s.type, s.state_key, s.event_id FROM chain c JOIN state_group_entries s ON s.group_nid = c.group_nid ORDER BY c.level DESC`,
      [groupNid],
    );
    const state = new Map<StateKey, string>();
    for (const row of rows) state.set(stateKeyOf(row.type, row.state_key), row.event_id);
    return state;
  }

  /** One entry of a state. */
  async entry(groupNid: number, type: string, stateKey: string): Promise<string | undefined> {
    const row = await this.#reader.first<{ event_id: string }>(
      `${chain} SELECT s.event_id FROM chain c JOIN state_group_entries s ON s.group_nid = c.group_nid WHERE s.type = ? AND s.state_key = ? ORDER BY c.level LIMIT 1`,
      [groupNid, type, stateKey],
    );
    return row?.event_id;
  }

  async group(groupNid: number): Promise<StateGroupRecord | undefined> {
    const row = await this.#reader.first<StateGroupRow>('SELECT * FROM state_groups WHERE group_nid = ?', [
      groupNid,
    ]);
    return row === undefined
      ? undefined
      : {
          groupNid: row.group_nid,
          roomNid: row.room_nid,
          prevGroup: row.prev_group,
          chainLength: row.chain_length,
        };
  }

  /** Keys of the room's current state that changed after a position. Index: the primary key. */
  async changedKeys(roomNid: number, after: number, upTo: number): Promise<StateKey[]> {
    const rows = await this.#reader.query<{ type: string; state_key: string }>(
      'SELECT DISTINCT type, state_key FROM state_changes WHERE room_nid = ? AND stream_pos > ? AND stream_pos <= ?',
      [roomNid, after, upTo],
    );
    return rows.map((row) => stateKeyOf(row.type, row.state_key));
  }

  /** Notes that the room's current state has changed at these keys. */
  changed(roomNid: number, keys: Iterable<StateKey>, position: Position): WriteOp[] {
    const rows = [...keys].map((key) => {
      const { type, stateKey } = splitStateKey(key);
      return { room_nid: roomNid, stream_pos: position, type, state_key: stateKey };
    });
    return rows.length === 0 ? [] : [{ kind: 'insert', table: 'state_changes', rows }];
  }

  /** `entries`: all of the state, or with a `prevGroup` what differs from it (a change cannot take away). */
  insert(
    group: StateGroupRecord,
    entries: ReadonlyMap<StateKey, string> | Iterable<readonly [StateKey, string]>,
  ): WriteOp[] {
    const ops: WriteOp[] = [
      {
        kind: 'insert',
        table: 'state_groups',
        rows: [
          {
            group_nid: group.groupNid,
            room_nid: group.roomNid,
            prev_group: group.prevGroup,
            chain_length: group.chainLength,
          },
        ],
      },
    ];
    const rows = [...entries].map(([key, eventId]) => {
      const { type, stateKey } = splitStateKey(key);
      return { group_nid: group.groupNid, type, state_key: stateKey, event_id: eventId };
    });
    if (rows.length > 0) ops.push({ kind: 'insert', table: 'state_group_entries', rows });
    return ops;
  }
}
