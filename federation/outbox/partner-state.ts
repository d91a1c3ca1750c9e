import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import type { WriteOp } from '../../storage/writer.ts';

/** A point of the past: up to this number of an epoch everything had arrived that stood up to `position`. */
export interface LedgerEntry {
  readonly epoch: string;
  readonly sequence: number;
  readonly position: number;
}

const ledgerStepMs = 10_000;
const ledgerLength = 200;

/**
 * What is remembered of a partner across restarts, beside its lanes: which number of the `pdu` lane stood
 * for which position, so that a partner whose backup was restored is sent what it lost and not everything;
 * and whether a catch-up is under way.
 */
export class PartnerState {
  readonly #serverName: string;
  #ledger: LedgerEntry[];
  #lastEntryTs = 0;
  #catchUp: { readonly since: number } | undefined;
  /** The partner's epoch for which it was caught up last. */
  #caughtUp: string | undefined;

  constructor(serverName: string, stored: string | undefined) {
    this.#serverName = serverName;
    const json = stored === undefined ? {} : parseJson(stored);
    const object: JsonObject = isObject(json) ? json : {};
    this.#ledger = readLedger(object['ledger']);
    const catchUp = object['catch_up'];
    const since = isObject(catchUp) ? catchUp['since'] : undefined;
    this.#catchUp = typeof since === 'number' ? { since } : undefined;
    const caughtUp = object['caught_up'];
    this.#caughtUp = typeof caughtUp === 'string' ? caughtUp : undefined;
  }

  get catchUp(): { readonly since: number } | undefined {
    return this.#catchUp;
  }

  get caughtUp(): string | undefined {
    return this.#caughtUp;
  }

  /** Notes an acknowledgement now and then; the ops belong into the write set that stores it. */
  acknowledged(entry: LedgerEntry, now: number): WriteOp[] {
    if (now - this.#lastEntryTs < ledgerStepMs) return [];
    this.#lastEntryTs = now;
    this.#ledger.push(entry);
    if (this.#ledger.length > ledgerLength) {
      // The older half gets coarser: half of it is left.
      const half = ledgerLength / 2;
      this.#ledger = this.#ledger.filter((_, index) => index >= half || index % 2 === 0);
    }
    return [this.#op()];
  }

  /** The position up to which a partner that received `sequence` of `epoch` has everything; 0: unknown. */
  positionOf(epoch: string, sequence: number): number {
    const entry = this.#ledger.findLast((known) => known.epoch === epoch && known.sequence <= sequence);
    return entry?.position ?? 0;
  }

  /** A catch-up from that position on is due; an earlier one that is due already goes on. */
  beginCatchUp(since: number, epoch: string | undefined): WriteOp[] {
    this.#catchUp = { since: Math.min(since, this.#catchUp?.since ?? since) };
    if (epoch !== undefined) this.#caughtUp = epoch;
    return [this.#op()];
  }

  /** Part of a catch-up is in the outbox. */
  catchUpDone(): WriteOp[] {
    this.#catchUp = undefined;
    return [this.#op()];
  }

  #op(): WriteOp {
    const json: JsonObject = {
      ledger: this.#ledger.map(({ epoch, sequence, position }) => [epoch, sequence, position]),
    };
    if (this.#catchUp !== undefined) json['catch_up'] = { since: this.#catchUp.since };
    if (this.#caughtUp !== undefined) json['caught_up'] = this.#caughtUp;
    return {
      kind: 'upsert',
      table: 'partner_state',
      key: ['server_name'],
      rows: [{ server_name: this.#serverName, json: JSON.stringify(json) }],
    };
  }
}

function readLedger(json: JsonValue | undefined): LedgerEntry[] {
  if (!Array.isArray(json)) return [];
  return json.flatMap((item) => {
    if (!Array.isArray(item)) return [];
    const [epoch, sequence, position] = item;
    return typeof epoch === 'string' && typeof sequence === 'number' && typeof position === 'number'
      ? [{ epoch, sequence, position }]
      : [];
  });
}
