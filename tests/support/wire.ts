import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Where bytes go: to the island at the far end of the wire, or from it. */
export type Direction = 'out' | 'back';

/** A connection through the wire. */
interface Strand {
  readonly near: Socket;
  readonly far: Socket;
  /** Nothing gets through any more, and neither end is told. */
  isDead: boolean;
}

/** Some bytes that passed. */
export interface Passage {
  /** Counts the connections through this wire. */
  readonly strand: number;
  readonly direction: Direction;
  /** As `performance.now()`. */
  readonly at: number;
  readonly bytes: Buffer;
}

/** A wire between two islands that a test can cut, stall and break: a TCP proxy on loopback. */
export class Wire {
  readonly #server: Server;
  readonly #strands = new Set<Strand>();
  readonly #stalled = new Set<Direction>();
  #target: number;
  #isCut = false;
  #joined = 0;
  #record: Passage[] | undefined;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (near) => this.#join(near));
  }

  static async to(target: number): Promise<Wire> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Wire(server, target);
  }

  get port(): number {
    // A listening TCP server has an address of this kind.
    return (this.#server.address() as AddressInfo).port;
  }

  /** Where the other end listens now: an island that starts anew gets another port. */
  retarget(target: number): void {
    this.#target = target;
  }

  /** Notes from now on all that passes; the list grows as it does. */
  record(): readonly Passage[] {
    this.#record = [];
    return this.#record;
  }

  /** Everything on the wire breaks off, and nothing new gets through. */
  cut(): void {
    this.#isCut = true;
    for (const { near, far } of this.#strands) {
      near.destroy();
      far.destroy();
    }
  }

  /** Nothing moves in a direction; what is sent waits, up to what the sockets hold. */
  stall(direction: Direction): void {
    this.#stalled.add(direction);
    for (const strand of this.#strands) this.#flow(strand);
  }

  /** The connections of now go dead: what is sent is lost, and neither end hears of the other's end. */
  kill(): void {
    for (const strand of this.#strands) {
      strand.isDead = true;
      this.#flow(strand);
    }
  }

  /** New connections get through, and what was stalled flows again. */
  heal(): void {
    this.#isCut = false;
    this.#stalled.clear();
    for (const strand of this.#strands) this.#flow(strand);
  }

  async close(): Promise<void> {
    this.cut();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #join(near: Socket): void {
    near.on('error', () => near.destroy());
    if (this.#isCut) {
      near.destroy();
      return;
    }
    const far = connect({ host: '127.0.0.1', port: this.#target });
    const strand: Strand = { near, far, isDead: false };
    this.#strands.add(strand);
    this.#joined += 1;
    const number = this.#joined;
    far.on('error', () => far.destroy());
    for (const [from, to, direction] of [
      [near, far, 'out'],
      [far, near, 'back'],
    ] as const) {
      from.on('data', (bytes: Buffer) => {
        if (strand.isDead) return;
        this.#record?.push({ strand: number, direction, at: performance.now(), bytes });
        if (!to.write(bytes)) from.pause();
      });
      to.on('drain', () => this.#flow(strand));
      from.on('end', () => {
        if (!strand.isDead) to.end();
      });
      from.once('close', () => {
        if (!strand.isDead) to.destroy();
        if (near.destroyed && far.destroyed) this.#strands.delete(strand);
      });
    }
    this.#flow(strand);
  }

  /** Lets each direction run that may. */
  #flow({ near, far, isDead }: Strand): void {
    for (const [from, to, direction] of [
      [near, far, 'out'],
      [far, near, 'back'],
    ] as const) {
      if (!isDead && (this.#stalled.has(direction) || to.writableNeedDrain)) from.pause();
      else from.resume();
    }
  }
}
