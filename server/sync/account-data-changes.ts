import type { Database } from '../../storage/database.ts';
import type { AccountDataRecord } from '../../storage/stores/account-data-store.ts';

/** A user's account data up to a place, read once for all the rooms of a `/sync`. */
export class AccountDataChanges {
  readonly #db: Database;
  readonly #userId: string;
  readonly #upTo: number;
  readonly #read = new Map<number, Promise<AccountDataRecord[]>>();

  constructor(db: Database, userId: string, upTo: number) {
    this.#db = db;
    this.#userId = userId;
    this.#upTo = upTo;
  }

  /** What changed after a place, global and of all rooms; -1: everything. */
  after(position: number): Promise<AccountDataRecord[]> {
    const known = this.#read.get(position);
    if (known !== undefined) return known;
    const reading = this.#db.accountData.changes(this.#userId, position, this.#upTo);
    this.#read.set(position, reading);
    return reading;
  }
}
