import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

/** Filters that clients have left with us: JSON texts. */
export class FilterStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async get(userId: string, filterId: string): Promise<string | undefined> {
    const row = await this.#reader.first<{ json: string }>(
      'SELECT json FROM filters WHERE user_id = ? AND filter_id = ?',
      [userId, filterId],
    );
    return row?.json;
  }

  put(userId: string, filterId: string, json: string): WriteOp[] {
    const row = { user_id: userId, filter_id: filterId, json };
    return [{ kind: 'upsert', table: 'filters', key: ['user_id', 'filter_id'], rows: [row] }];
  }
}
