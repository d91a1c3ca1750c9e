import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

/** What we remember of partners beside their configuration: one JSON text each. */
export class PartnerStateStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async get(serverName: string): Promise<string | undefined> {
    const row = await this.#reader.first<{ json: string }>(
      'SELECT json FROM partner_state WHERE server_name = ?',
      [serverName],
    );
    return row?.json;
  }

  async all(): Promise<Map<string, string>> {
    const rows = await this.#reader.query<{ server_name: string; json: string }>(
      'SELECT * FROM partner_state',
    );
    return new Map(rows.map((row) => [row.server_name, row.json]));
  }

  put(serverName: string, json: string): WriteOp[] {
    const rows = [{ server_name: serverName, json }];
    return [{ kind: 'upsert', table: 'partner_state', key: ['server_name'], rows }];
  }
}
