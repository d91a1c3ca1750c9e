import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

/** A partner without a link. */
export interface PartnerOutage {
  readonly serverName: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Whether the rooms shared with it were told. */
  readonly told: boolean;
}

/** What our people were told of partners. */
export class PartnerWatchStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** How each partner stood when our people were last told of it. */
  async standings(): Promise<Map<string, string>> {
    const rows = await this.#reader.query<{ server_name: string; standing: string }>(
      'SELECT server_name, standing FROM partner_standings',
    );
    return new Map(rows.map((row) => [row.server_name, row.standing]));
  }

  putStanding(serverName: string, standing: string): WriteOp[] {
    const rows = [{ server_name: serverName, standing }];
    return [{ kind: 'upsert', table: 'partner_standings', key: ['server_name'], rows }];
  }

  async outages(): Promise<Map<string, PartnerOutage>> {
    const rows = await this.#reader.query<{ server_name: string; since: number; told: number }>(
      'SELECT server_name, since, told FROM partner_outages',
    );
    return new Map(
      rows.map((row) => [
        row.server_name,
        { serverName: row.server_name, since: row.since, told: row.told === 1 },
      ]),
    );
  }

  putOutage({ serverName, since, told }: PartnerOutage): WriteOp[] {
    const rows = [{ server_name: serverName, since, told: told ? 1 : 0 }];
    return [{ kind: 'upsert', table: 'partner_outages', key: ['server_name'], rows }];
  }

  removeOutage(serverName: string): WriteOp[] {
    return [{ kind: 'delete', table: 'partner_outages', where: { server_name: serverName } }];
  }
}
