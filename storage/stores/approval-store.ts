import type { Reader } from '../connection.ts';
import type { ApprovalRow } from '../schema/border-tables.ts';
import { marks } from '../sql.ts';
import type { WriteOp } from '../write-set.ts';

/** An invitation that waits for somebody's word, or that did. */
export interface ApprovalRecord {
  readonly approvalId: string;
  readonly direction: string;
  readonly roomId: string;
  readonly inviter: string;
  readonly invitee: string;
  readonly state: string;
  /** What is needed to go on with it, as JSON. */
  readonly json: string;
  /** Times in milliseconds since the epoch. */
  readonly createdTs: number;
  readonly decidedTs: number | null;
  readonly decidedBy: string | null;
}

/** The queue of invitations that are held. */
export class ApprovalStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Those in one of these states, oldest first in each. Index: approvals_state. */
  async inStates(states: readonly string[]): Promise<ApprovalRecord[]> {
    const rows = await this.#reader.query<ApprovalRow>(
      `SELECT * FROM approvals WHERE state IN (${marks(states.length)}) ORDER BY state, created_ts`,
      states,
    );
    return rows.map((row) => ({
      approvalId: row.approval_id,
      direction: row.direction,
      roomId: row.room_id,
      inviter: row.inviter,
      invitee: row.invitee,
      state: row.state,
      json: row.json,
      createdTs: row.created_ts,
      decidedTs: row.decided_ts,
      decidedBy: row.decided_by,
    }));
  }

  put(record: ApprovalRecord): WriteOp[] {
    const row = {
      approval_id: record.approvalId,
      direction: record.direction,
      room_id: record.roomId,
      inviter: record.inviter,
      invitee: record.invitee,
      state: record.state,
      json: record.json,
      created_ts: record.createdTs,
      decided_ts: record.decidedTs,
      decided_by: record.decidedBy,
    };
    return [{ kind: 'upsert', table: 'approvals', key: ['approval_id'], rows: [row] }];
  }

  remove(approvalId: string): WriteOp[] {
    return [{ kind: 'delete', table: 'approvals', where: { approval_id: approvalId } }];
  }
}
