import { isMap, parseDocument, stringify } from 'yaml';
import { objectionTo } from '../../config/kinds.ts';
import { AdminError } from '../admin-error.ts';

type Json = Readonly<Record<string, unknown>>;

/** Keys that have a place here, of the same name and meaning; what they say is taken over as it is. */
const taken = [
  'public_baseurl',
  'signing_key_path',
  'media_store_path',
  'enable_registration',
  'registration_shared_secret_path',
] as const;

/** What became of keys that have none. */
const fates: Readonly<Record<string, string>> = {
  trusted_key_servers: 'no server is asked for keys here: partners are pinned by their cards',
  report_stats: 'nothing is reported to anybody',
  pid_file: 'start it by systemd or another supervisor',
  log_config: 'see archipelago start --log-level, --log-format',
  allow_public_rooms_over_federation: 'policies of partners say what crosses',
  allow_public_rooms_without_auth: 'there is none without a login',
  suppress_key_server_warning: 'no server is asked for keys here',
  form_secret: 'not needed',
  macaroon_secret_key: 'not needed: access tokens are random',
  event_cache_size: 'not needed',
  caches: 'not needed',
  uploads_path: 'not needed',
  url_preview_enabled: 'there are no previews of URLs yet',
  turn_uris: 'there are no calls through a relay yet',
  email: 'no mail is sent',
  oidc_providers: 'single sign-on is not there yet',
  saml2_config: 'single sign-on is not there yet',
  app_service_config_files: 'application services are not there yet',
  workers: 'there is one process',
};

/** The result: our configuration as a text, and what the admin has to see to. */
export interface ImportedConfig {
  readonly text: string;
  /** A sentence for each thing that was not taken over as it stood. */
  readonly notes: readonly string[];
}

/**
 * Makes our `homeserver.yaml` out of Synapse's. What has a counterpart is taken over, the rest stands in comments with
 * what became of it; secrets are never written into the result. Throws AdminError for what is no configuration of
 * Synapse.
 */
export function importSynapse(text: string): ImportedConfig {
  const document = parseDocument(text);
  const [mistake] = document.errors;
  if (mistake !== undefined)
    throw new AdminError(`This is not proper YAML: ${mistake.message.split('\n')[0]}`);
  if (!isMap(document.contents))
    throw new AdminError('This is not a configuration of Synapse: it has no keys');
  // A map becomes a record.
  const synapse = document.toJS() as Json;
  const name = synapse['server_name'];
  if (typeof name !== 'string' || objectionTo('server-name', name) !== undefined)
    throw new AdminError('This is not a configuration of Synapse: it has no server_name');
  return new Import(synapse, name).result();
}

class Import {
  readonly #synapse: Json;
  readonly #serverName: string;
  readonly #lines: string[] = [];
  readonly #notes: string[] = [];
  readonly #handled = new Set<string>(['server_name']);

  constructor(synapse: Json, serverName: string) {
    this.#synapse = synapse;
    this.#serverName = serverName;
  }

  result(): ImportedConfig {
    this.#say('Made by `archipelago config import-synapse`. Look through it, then archipelago check-config.');
    this.#say('Rooms, users and messages are not taken over by this: it is the configuration alone.', '');
    this.#write('server_name', this.#serverName);
    for (const key of taken) this.#take(key);
    this.#signingKey();
    this.#listeners();
    this.#database();
    this.#uploadSize();
    this.#secret();
    this.#roomVersion();
    this.#notices();
    this.#contact();
    this.#partners();
    this.#rest();
    return { text: `${this.#lines.join('\n')}\n`, notes: this.#notes };
  }

  #get(key: string): unknown {
    this.#handled.add(key);
    return this.#synapse[key] ?? undefined;
  }

  #write(key: string, value: unknown): void {
    this.#lines.push(stringify({ [key]: value }, { collectionStyle: 'any', lineWidth: 0 }).trimEnd());
  }

  #say(...lines: string[]): void {
    for (const line of lines) this.#lines.push(line === '' ? '' : `# ${oneLine(line)}`);
  }

  /** In the file and on standard error. */
  #note(text: string): void {
    this.#say(text);
    this.#notes.push(oneLine(text));
  }

  #take(key: (typeof taken)[number]): void {
    const value = this.#get(key);
    if (value === undefined) return;
    const isRight =
      key === 'enable_registration'
        ? typeof value === 'boolean'
        : typeof value === 'string' &&
          objectionTo(key === 'public_baseurl' ? 'base-url' : 'path', value) === undefined;
    if (isRight) this.#write(key, value);
    else this.#note(`${key}: what Synapse has there is not taken over`);
  }

  #signingKey(): void {
    if (this.#synapse['signing_key_path'] === undefined)
      this.#write('signing_key_path', `${this.#serverName.replaceAll(/[^\w.-]/g, '_')}.signing.key`);
    this.#note(
      'Copy the signing key of Synapse to signing_key_path before the first start (the format is the same; chmod 600): without it a new one is made, and partners would not know this server.',
    );
    const old = this.#get('old_signing_keys');
    if (isRecord(old) && Object.keys(old).length > 0)
      this.#note('old_signing_keys: partners learn old keys from your card, so keep them at hand');
  }

  #listeners(): void {
    const listeners = this.#get('listeners');
    const [certificate, key] = [this.#get('tls_certificate_path'), this.#get('tls_private_key_path')];
    const ours: Json[] = [];
    for (const entry of Array.isArray(listeners) ? listeners : []) {
      if (!isRecord(entry) || typeof entry['port'] !== 'number') {
        this.#note('a listener without a port (a Unix socket) is not taken over');
        continue;
      }
      const resources = resourcesOf(entry);
      if ((entry['type'] ?? 'http') !== 'http' || resources.length === 0) {
        this.#note(`the listener on port ${entry['port']} serves what there is not here (${kindOf(entry)})`);
        continue;
      }
      const addresses = list(entry['bind_addresses'] ?? entry['bind_address'] ?? ['127.0.0.1', '::1'])
        .map((address) => ({ localhost: '127.0.0.1', '': '0.0.0.0' })[address] ?? address)
        .filter((address) => objectionTo('address', address) === undefined);
      const isTls = entry['tls'] === true && typeof certificate === 'string' && typeof key === 'string';
      ours.push({
        port: entry['port'],
        bind_addresses: addresses.length === 0 ? ['127.0.0.1'] : [...new Set(addresses)],
        ...(isTls ? { tls: { certificate_path: certificate, private_key_path: key } } : {}),
        ...(entry['x_forwarded'] === true
          ? { x_forwarded: true, trusted_proxies: ['127.0.0.1', '::1'] }
          : {}),
        resources,
      });
    }
    if (ours.length === 0) return;
    if (ours.some((entry) => entry['x_forwarded'] === true))
      this.#note(
        'listeners: X-Forwarded-For is believed of proxies on this machine; name yours in trusted_proxies if it is elsewhere',
      );
    this.#write('listeners', ours);
  }

  #database(): void {
    const database = this.#get('database');
    const name = isRecord(database) ? database['name'] : undefined;
    if (name === 'psycopg2') {
      this.#note(
        `database: write postgres://USER:PASSWORD@HOST/DATABASE into the file of url_path (chmod 600), for a database of its own: that of Synapse has other tables. Synapse has ${databaseShape(isRecord(database) ? database['args'] : undefined)}.`,
      );
      this.#write('database', { type: 'postgres', url_path: 'secrets/pg.url' });
    } else if (name === 'sqlite3') {
      this.#note('database: a new file, since that of Synapse has other tables');
      this.#write('database', { type: 'sqlite', path: 'data/homeserver.db' });
    }
  }

  #uploadSize(): void {
    const value = this.#get('max_upload_size');
    if (value === undefined) return;
    const size = String(value).trim().toUpperCase();
    if (objectionTo('size', size) === undefined) this.#write('max_upload_size', size);
    else this.#note('max_upload_size: what Synapse has there is not taken over');
  }

  #secret(): void {
    if (this.#get('registration_shared_secret') === undefined) return;
    if (this.#synapse['registration_shared_secret_path'] !== undefined) return;
    this.#note(
      'registration_shared_secret: put it into a file that only this user can read, and name that in registration_shared_secret_path. It is not copied here.',
    );
  }

  #roomVersion(): void {
    const value = this.#get('default_room_version');
    if (value === undefined) return;
    if (objectionTo('room-version', String(value)) === undefined)
      this.#write('default_room_version', String(value));
    else this.#note(`default_room_version: ${String(value)} is not made here`);
  }

  #notices(): void {
    const notices = this.#get('server_notices');
    if (!isRecord(notices)) return;
    const kept = Object.entries(notices).filter(
      ([key, value]) =>
        ['system_mxid_localpart', 'system_mxid_display_name', 'room_name'].includes(key) &&
        typeof value === 'string' &&
        objectionTo(key === 'system_mxid_localpart' ? 'localpart' : 'line', value) === undefined,
    );
    if (kept.length > 0) this.#write('server_notices', Object.fromEntries(kept));
  }

  #contact(): void {
    const contact = this.#get('admin_contact');
    if (typeof contact === 'string' && objectionTo('line', contact) === undefined)
      this.#write('organization', { admin_contact: contact });
  }

  /** A whitelist names servers and no keys: nobody can be a partner by that. */
  #partners(): void {
    const names = this.#get('federation_domain_whitelist');
    this.#say('');
    if (!Array.isArray(names)) {
      this.#note(
        'Synapse spoke with every server. Here there are no partners until you add them, each by its card: archipelago partner add CARD',
      );
      return;
    }
    this.#note(
      `Partners, ${names.length} in federation_domain_whitelist: add each by its card, since a name alone proves nothing (archipelago partner add CARD)`,
    );
    for (const name of names) this.#say(`  ${String(name)}`);
  }

  #rest(): void {
    const rest = Object.keys(this.#synapse).filter((key) => !this.#handled.has(key));
    if (rest.length === 0) return;
    this.#say('', 'What has no counterpart and was left out:');
    for (const key of rest) {
      const fate = Object.hasOwn(fates, key) ? fates[key] : undefined;
      this.#say(`  ${key}${fate === undefined ? '' : `: ${fate}`}`);
    }
    this.#notes.push(`${rest.length} keys have no counterpart here; they are listed at the end of the file`);
  }
}

function resourcesOf(entry: Json): string[] {
  const parts = Array.isArray(entry['resources']) ? entry['resources'] : [];
  const names = parts.flatMap((part) => (isRecord(part) ? list(part['names'] ?? []) : []));
  return [
    ...(names.includes('client') ? ['client'] : []),
    ...(names.includes('federation') ? ['federation', 'link'] : []),
    ...(names.includes('health') ? ['health'] : []),
  ];
}

function kindOf(entry: Json): string {
  return typeof entry['type'] === 'string' ? entry['type'] : 'http';
}

/** Which database it is, without its password. */
function databaseShape(args: unknown): string {
  if (!isRecord(args)) return 'no more about it';
  const { user = 'USER', host = 'localhost', port, database, dbname } = args;
  return `${String(user)} at ${String(host)}${port === undefined ? '' : `:${String(port)}`}, database ${String(database ?? dbname ?? 'DATABASE')}`;
}

function list(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).map(String);
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stood in a file of somebody else stays within its comment. */
function oneLine(text: string): string {
  return text.replace(/[\p{C}]+/gu, ' ');
}
