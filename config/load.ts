import { readdir } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { isMap } from 'yaml';
import { checkEncryption } from './check-encryption.ts';
import { checkListeners } from './check-listeners.ts';
import { checkPartners, defaultPolicy } from './check-partners.ts';
import { isWorldReadable, objectionToPlace, readSecret } from './check-paths.ts';
import { checkShape } from './check-shape.ts';
import type { Config, ServerNoticesConfig } from './config.ts';
import type { DatabaseConfig } from './database-config.ts';
import { Draft } from './draft.ts';
import { type EffectiveObject, effectiveOf } from './effective.ts';
import { atTop, errorMessage, type Problem } from './problem.ts';
import { homeserverSchema, type RawConfig } from './schema.ts';
import { parseDuration, parseSize } from './units.ts';
import { parseYaml, readYaml, YamlFile } from './yaml-file.ts';

export type LoadedConfig =
  | ({ readonly ok: true; readonly warnings: readonly Problem[] } & LoadedFiles)
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What the files say, in two forms. */
export interface LoadedFiles {
  readonly config: Config;
  /** Every key that is in force, with where it comes from. */
  readonly effective: EffectiveObject;
}

export interface LoadOptions {
  /** Milliseconds since the epoch; decides what has ended. */
  readonly now?: number;
  /** Files as they are to become, to see whether that is right: text by absolute path, null for one to be deleted. */
  readonly planned?: PlannedFiles;
}

export type PlannedFiles = ReadonlyMap<string, string | null>;

/**
 * Reads `homeserver.yaml` and the files of `conf.d` beside it. Gives the complete, frozen configuration, or every
 * mistake with its place. Nothing is written and nothing is dialled.
 */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const { planned = new Map() } = options;
  const file = resolve(path);
  const main = await read(file, planned);
  if (!(main instanceof YamlFile)) return { ok: false, problems: main };
  const draft = new Draft(main);
  draft.add(main, checkShape(main, homeserverSchema, draft.problems));
  for (const extra of await extraFiles(join(dirname(file), 'conf.d'), planned, draft)) {
    const yaml = await read(extra, planned);
    if (yaml instanceof YamlFile) draft.add(yaml, checkShape(yaml, homeserverSchema, draft.problems));
    else draft.problems.push(...yaml);
  }
  // Of a file that does not consist of keys this was said already.
  if (!draft.has('server_name') && (isMap(main.root) || draft.problems.length === 0)) {
    const isThere = isMap(main.root) && main.root.has('server_name');
    const message = isThere ? 'server_name has no value' : 'the key "server_name" is missing';
    const suggestion = 'add the name of this island, such as server_name: acme.example';
    draft.report(main, main.keyOffset(['server_name']), message, suggestion);
  }
  // Values that broke the schema are not of their types; what follows relies on them.
  if (draft.problems.length > 0) return failed(draft);
  const config = await build(draft, file, options.now ?? Date.now());
  if (draft.problems.length > 0) return failed(draft);
  const effective = effectiveOf(draft, config);
  return { ok: true, config: deepFreeze(config), effective, warnings: draft.warnings };
}

function failed(draft: Draft): LoadedConfig {
  return { ok: false, problems: draft.problems };
}

function read(path: string, planned: PlannedFiles): Promise<YamlFile | Problem[]> | YamlFile | Problem[] {
  const text = planned.get(path);
  return text === undefined || text === null ? readYaml(path) : parseYaml(path, text);
}

/** The files of `conf.d`: those that are there, and those that are planned. */
async function extraFiles(folder: string, planned: PlannedFiles, draft: Draft): Promise<string[]> {
  const added = [...planned.keys()].filter((path) => path.startsWith(join(folder, sep)));
  const files = new Set([...(await filesBelow(folder, draft)), ...added]);
  return [...files].filter((path) => planned.get(path) !== null);
}

/** Every `.yaml` below a folder in the order of their paths; hidden ones are files being written. */
async function filesBelow(folder: string, draft: Draft): Promise<string[]> {
  let entries: Awaited<ReturnType<typeof readEntries>>;
  try {
    entries = await readEntries(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOENT')
      draft.problems.push(atTop(folder, `the folder cannot be read: ${errorMessage(error)}`));
    return [];
  }
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...(await filesBelow(path, draft)));
    else if (entry.name.endsWith('.yaml')) files.push(path);
    else if (entry.name.endsWith('.yml'))
      draft.warnings.push(atTop(path, 'this file is not read', 'only names in .yaml are: rename it'));
  }
  return files;
}

function readEntries(folder: string) {
  return readdir(folder, { withFileTypes: true });
}

async function build(draft: Draft, file: string, now: number): Promise<Config> {
  const { raw } = draft;
  const signingKeyPath = await place(draft, 'signing_key_path', 'data/signing.key', 'file');
  if (await isWorldReadable(signingKeyPath))
    draft.reportAt(
      ['signing_key_path'],
      `signing_key_path names a file that everybody on this machine can read: ${signingKeyPath}`,
      `chmod 600 ${signingKeyPath}`,
    );
  const dataDirectory = dirname(signingKeyPath);
  const partners = await checkPartners(draft, raw.server_name, now);
  checkEncryption(draft, raw.encryption ?? 'optional', partners);
  return {
    file,
    directory: dirname(file),
    serverName: raw.server_name,
    publicBaseurl: raw.public_baseurl,
    signingKeyPath,
    linkKeyPath: join(dataDirectory, 'link.key'),
    dataDirectory,
    listeners: await checkListeners(draft, raw.listeners ?? [{ port: 8008 }], now),
    database: await databaseOf(draft),
    mediaStorePath: await place(draft, 'media_store_path', 'data/media', 'folder'),
    maxUploadSize: parseSize(String(raw.max_upload_size ?? '50M')) ?? 0,
    enableRegistration: raw.enable_registration ?? false,
    registrationSharedSecret: await twin(draft, ['registration_shared_secret']),
    httpsProxy: raw.https_proxy,
    organization: organizationOf(raw.organization),
    defaultRoomVersion: raw.default_room_version ?? '12',
    encryption: {
      encryption: raw.encryption ?? 'optional',
      rule: draft.has('encryption')
        ? draft.ruleAt(draft.fileOf('encryption'), draft.fileOf('encryption').keyOffset(['encryption']))
        : 'default of encryption',
    },
    internalDepartments: raw.room_defaults?.internal_departments ?? [],
    cardLifetimeMs: parseDuration(raw.card_lifetime ?? '30d'),
    serverNotices: serverNoticesOf(raw.server_notices),
    offlineNoticeAfterMs: parseDuration(raw.offline_notice_after ?? '5m'),
    auditSyslog: raw.audit?.syslog?.address,
    partners,
    defaultPolicy: defaultPolicy(draft),
  };
}

async function place(
  draft: Draft,
  key: 'signing_key_path' | 'media_store_path',
  byDefault: string,
  form: 'file' | 'folder',
): Promise<string> {
  const path = draft.pathIn(draft.fileOf(key), draft.raw[key] ?? byDefault);
  const objection = await objectionToPlace(path, form);
  if (objection !== undefined) draft.reportAt([key], `${key} ${objection.message}`, objection.suggestion);
  return path;
}

/** The value of a secret that may be written in place or in a file of its own (`KEY_path`). */
async function twin(draft: Draft, path: readonly [...string[], string]): Promise<string | undefined> {
  const name = path.join('.');
  const pathTwin = [...path.slice(0, -1), `${path.at(-1)}_path`];
  const written = valueAt(draft.raw, path);
  const writtenPath = valueAt(draft.raw, pathTwin);
  const file = draft.fileOf(path[0] ?? '');
  if (written !== undefined && writtenPath !== undefined) {
    draft.reportAt(pathTwin, `${name} and ${name}_path are both set`, 'keep one of them');
    return undefined;
  }
  if (written !== undefined) {
    if (await isWorldReadable(file.path))
      draft.reportAt(
        path,
        `${name} is a secret, and everybody on this machine can read this file`,
        `chmod 600 ${file.path}, or use ${name}_path`,
      );
    return written;
  }
  if (writtenPath === undefined) return undefined;
  const read = await readSecret(draft.pathIn(draft.fileOf(pathTwin[0] ?? ''), writtenPath));
  if ('secret' in read) return read.secret;
  draft.reportAt(pathTwin, `${name}_path ${read.message}`, read.suggestion);
  return undefined;
}

function valueAt(raw: object, path: readonly string[]): string | undefined {
  let value: unknown = raw;
  for (const step of path)
    value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
  return typeof value === 'string' ? value : undefined;
}

async function databaseOf(draft: Draft): Promise<DatabaseConfig> {
  const { type = 'sqlite', path, url, url_path: urlPath } = draft.raw.database ?? {};
  if (type === 'sqlite') {
    for (const key of ['url', 'url_path'] as const)
      if (draft.raw.database?.[key] !== undefined)
        draft.reportAt(['database', key], `database.${key} belongs to type: postgres`, 'SQLite has path');
    const file = draft.pathIn(draft.fileOf('database'), path ?? 'data/homeserver.db');
    const objection = await objectionToPlace(file, 'file');
    if (objection !== undefined) draft.reportAt(['database', 'path'], `database.path ${objection.message}`);
    return { type, path: file };
  }
  if (path !== undefined)
    draft.reportAt(
      ['database', 'path'],
      'database.path belongs to type: sqlite',
      'PostgreSQL has url or url_path',
    );
  if (url === undefined && urlPath === undefined)
    draft.reportAt(['database'], 'the key "url" is missing', 'add url_path: FILE, or url');
  const secret = await twin(draft, ['database', 'url']);
  if (secret !== undefined && !/^postgres(?:ql)?:\/\/[^\s]+$/.test(secret))
    // Its value holds a password and is not shown.
    draft.reportAt(
      url === undefined ? ['database', 'url_path'] : ['database', 'url'],
      'database.url must be a URL such as postgres://USER:PASSWORD@HOST/DATABASE',
    );
  return { type, url: secret ?? '' };
}

function serverNoticesOf(raw: RawConfig['server_notices'] = {}): ServerNoticesConfig {
  return {
    localpart: raw.system_mxid_localpart ?? 'notices',
    displayName: raw.system_mxid_display_name ?? 'Server notices',
    roomName: raw.room_name ?? 'Server notices',
  };
}

function organizationOf(raw: RawConfig['organization']): Config['organization'] {
  return raw === undefined ? undefined : { name: raw.name, adminContact: raw.admin_contact };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
