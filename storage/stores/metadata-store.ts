import type { Reader } from '../connection.ts';
import { StorageError } from '../errors.ts';
import type { WriteOp } from '../write-set.ts';
import type { Writer } from '../writer.ts';

/** Facts about this database: keys and values. */
export class MetadataStore {
  readonly #reader: Reader;
  readonly #writer: Writer;

  constructor(reader: Reader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async get(key: string): Promise<string | undefined> {
    const row = await this.#reader.first<{ value: string }>('SELECT value FROM metadata WHERE key = ?', [
      key,
    ]);
    return row?.value;
  }

  put(key: string, value: string): WriteOp[] {
    return [{ kind: 'upsert', table: 'metadata', key: ['key'], rows: [{ key, value }] }];
  }

  /**
   * Ties the database to a server name on first use. Throws StorageError `wrong-server` if it is another's:
   * every event in it is signed under that name.
   */
  async claimServerName(serverName: string): Promise<void> {
    const rows = [{ key: 'server_name', value: serverName }];
    await this.#writer.submit({
      label: 'claim server name',
      ops: [{ kind: 'insert', table: 'metadata', rows, orIgnore: true }],
    });
    const owner = await this.get('server_name');
    if (owner !== serverName)
      throw new StorageError(
        'wrong-server',
        `This database belongs to the server ${owner}, and the configuration says ${serverName}. A server name cannot be changed: set it back, or start with a new database.`,
      );
  }
}
