import type { Database } from '../../storage/database.ts';
import type { SyncToken } from './token.ts';

const key = 'sync_boots';
/** Who has not synced for so many starts begins anew. */
const maxBoots = 500;

/** A start of this island: its id, and the position at which it began. */
type Boot = readonly [id: string, start: number];

/**
 * The starts that this database has seen. A client's token is of one of them, and of a place before the next one
 * began; unless the database was put back from a backup: then the token tells of a future that never was, even when
 * positions have passed it again.
 */
export class Boots {
  readonly current: string;
  readonly #ends: ReadonlyMap<string, number>;

  private constructor(boots: readonly Boot[], current: string) {
    this.current = current;
    const next = boots.slice(1);
    this.#ends = new Map(
      boots.map(([id], index) => [id, next[index]?.[1] ?? Number.POSITIVE_INFINITY] as const),
    );
  }

  /** Notes that the island starts; `id` is new. */
  static async begin(db: Database, id: string): Promise<Boots> {
    // It was written below.
    const known = JSON.parse((await db.metadata.get(key)) ?? '[]') as Boot[];
    const boots: Boot[] = [...known, [id, db.streams.position] as const].slice(-maxBoots);
    await db.writer.submit({ label: 'start', ops: db.metadata.put(key, JSON.stringify(boots)) });
    return new Boots(boots, id);
  }

  /** Is the token one of a past that this database has? */
  knows({ boot, position }: SyncToken): boolean {
    return position <= (this.#ends.get(boot) ?? Number.NEGATIVE_INFINITY);
  }
}
