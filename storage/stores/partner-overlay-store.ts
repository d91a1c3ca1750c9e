import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

/** What was done to partners at run time: one JSON text each, above what the files say. */
export class PartnerOverlayStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async all(): Promise<Map<string, string>> {
    const rows = await this.#reader.query<{ server_name: string; json: string }>(
      'SELECT server_name, json FROM partner_overlays',
    );
    return new Map(rows.map((row) => [row.server_name, row.json]));
  }

  put(serverName: string, json: string): WriteOp[] {
    const rows = [{ server_name: serverName, json }];
    return [{ kind: 'upsert', table: 'partner_overlays', key: ['server_name'], rows }];
  }

  remove(serverName: string): WriteOp[] {
    return [{ kind: 'delete', table: 'partner_overlays', where: { server_name: serverName } }];
  }
}
