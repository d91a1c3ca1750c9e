import type { SqlConnection } from './connection.ts';
import { takeNumbers } from './write-batch.ts';

export type IdKind = 'event' | 'room' | 'state_group' | 'staged';

export const idKinds: readonly IdKind[] = ['event', 'room', 'state_group', 'staged'];

/** Numbers for new rows. */
export interface IdAllocator {
  /** A number that nobody else gets, higher than those this process got before. Gaps are harmless. */
  next(kind: IdKind): number;
}

/**
 * So many numbers are reserved at a time: enough that they cannot run out before the next block is there, and
 * few enough that 2^53 lasts for half a billion starts.
 */
const blockSize = 2 ** 24;

interface Block {
  next: number;
  end: number;
  following: number | undefined;
  reserving: boolean;
}

/** Gives numbers from blocks that were reserved in the database, so that several processes never collide. */
export class BlockAllocator implements IdAllocator {
  readonly #blocks = new Map<IdKind, Block>();
  readonly #reserve: (kind: IdKind) => Promise<number>;
  readonly #size: number;

  /** `reserve` gives the first number of a new block of `size`. */
  constructor(
    first: ReadonlyMap<IdKind, number>,
    reserve: (kind: IdKind) => Promise<number>,
    size: number = blockSize,
  ) {
    this.#reserve = reserve;
    this.#size = size;
    for (const [kind, next] of first)
      this.#blocks.set(kind, { next, end: next + size, following: undefined, reserving: false });
  }

  next(kind: IdKind): number {
    const block = this.#blocks.get(kind);
    if (block === undefined) throw new Error(`There are no numbers of kind ${kind}`);
    if (block.next === block.end) {
      if (block.following === undefined) throw new Error(`The numbers of kind ${kind} have run out`);
      block.next = block.following;
      block.end = block.next + this.#size;
      block.following = undefined;
    }
    const id = block.next;
    block.next += 1;
    if (block.following === undefined && !block.reserving && block.end - block.next < this.#size / 2)
      this.#prepare(kind, block);
    return id;
  }

  #prepare(kind: IdKind, block: Block): void {
    block.reserving = true;
    this.#reserve(kind).then(
      (first) => {
        block.following = first;
        block.reserving = false;
      },
      () => {
        block.reserving = false; // Tried again with the next number that is asked for.
      },
    );
  }
}

export function reserveBlock(connection: Pick<SqlConnection, 'query'>, kind: IdKind): Promise<number> {
  return takeNumbers(connection, kind, blockSize);
}
