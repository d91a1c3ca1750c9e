import { stringify } from 'yaml';
import { kindWords } from '../config/kind-words.ts';
import { homeserverSchema } from '../config/schema.ts';
import { type Shape, shapeOf, type TakesEffect } from '../config/schema-kit.ts';

const top = shapeOf(homeserverSchema).properties ?? {};

/** Keys that Synapse has too, of the same name and meaning. */
const asInSynapse = new Set([
  'server_name',
  'public_baseurl',
  'signing_key_path',
  'listeners',
  'database',
  'media_store_path',
  'max_upload_size',
  'enable_registration',
  'registration_shared_secret',
  'registration_shared_secret_path',
  'trusted_key_servers',
  'server_notices',
  'default_room_version',
]);

const groups: readonly (readonly [title: string, keys: readonly string[]])[] = [
  ['The island', ['server_name', 'public_baseurl', 'signing_key_path', 'organization']],
  ['Where it listens', ['listeners']],
  ['Where it keeps what it has', ['database', 'media_store_path', 'max_upload_size']],
  [
    'Its people and rooms',
    [
      'enable_registration',
      'registration_shared_secret',
      'registration_shared_secret_path',
      'default_room_version',
      'room_defaults',
      'encryption',
      'server_notices',
    ],
  ],
  [
    'Partners',
    [
      'partners',
      'partner_defaults',
      'card_lifetime',
      'https_proxy',
      'offline_notice_after',
      'trusted_key_servers',
    ],
  ],
];

const introduction = `# Configuration

<!-- Written by \`npm run docs\` from config/schema.ts. Change that. -->

An island is configured by \`homeserver.yaml\`. \`archipelago init --server-name NAME\` writes a short one that works; everything below has a default that is meant to be kept, but for the name.

- **Check before it counts.** \`archipelago check-config\` says every mistake with file, line, column and what was probably meant; it writes nothing and dials nobody. \`--strict\` takes warnings for mistakes, \`--json\` is for other programs, \`--online\` also dials the partners. Unknown keys, doubled keys and secrets that everybody can read are mistakes.
- **Nothing takes effect by itself.** A changed file counts when somebody says so: with \`archipelago reload\` or SIGHUP, all of it or, with a mistake in it, nothing; no client is disconnected. \`archipelago config diff\` shows before what a reload would change. Each key below says whether a reload is enough or a **restart** is needed; a reload says which keys wait for one.
- **See what is in force.** \`archipelago config show --effective\` prints every value, defaults included, with the file and line that it comes from.
- **Several files.** Every \`.yaml\` below \`conf.d/\` beside \`homeserver.yaml\` counts too. Lists of partners add up (one file for each: \`conf.d/partners/NAME.yaml\`, as \`archipelago partner add\` writes them); any other key stands in one file only. Names that begin with a dot are not read.
- **Paths** are relative to the file that they stand in.
- **Secrets** have a twin: in place of \`KEY\` there may be \`KEY_path\`, a file that holds the secret and nothing else. Such a file must not be readable for everybody.
- **Units.** A duration is a number with \`s\`, \`m\`, \`h\`, \`d\` or \`w\` (\`30s\`, \`5m\`, \`1d\`); a size one with \`K\`, \`M\` or \`G\`, powers of 1024 (\`50M\`), or bytes; a date (\`2027-12-31\`) counts to its end in UTC, a time is \`2027-12-31T18:00:00Z\`. Truth is \`true\` or \`false\`.
- **In your editor.** With [homeserver.schema.json](homeserver.schema.json) an editor that knows YAML completes and checks the keys: \`# yaml-language-server: $schema=PATH/homeserver.schema.json\` as the first line.

★ marks keys that Synapse has too, of the same name and meaning; \`archipelago config import-synapse\` takes them over.

A whole file, for orientation:

\`\`\`yaml
server_name: acme.example
public_baseurl: https://chat.acme.example/
listeners:
  - {port: 8008, bind_addresses: [127.0.0.1], x_forwarded: true, trusted_proxies: [127.0.0.1]}
  - {port: 8009, resources: [health, admin]}
database: {type: sqlite, path: data/homeserver.db}
max_upload_size: 200M
organization: {name: ACME Corp, admin_contact: "mailto:it@acme.example"}
partner_defaults:
  policy:
    files: {max_size: 50M}
partners:
  - server_name: bolt.example
    display_name: Bolt Ltd
    relation: supplier
    valid_until: 2099-12-31
    verify_keys: {"ed25519:a1": {key: Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw}}
    transport: {urls: ["wss://chat.bolt.example/_archipelago/link/v1"]}
    policy:
      allow_local: [{departments: [purchasing]}, {users: ["@ceo:acme.example"]}]
      invites: {inbound: approve}
      files: {direction: both, mime: ["application/pdf", "image/*"]}
\`\`\`
`;

/** docs/configuration.md: every key with its meaning, type, default, example, and what a change needs. */
export function configurationPage(): string {
  const named = new Set(groups.flatMap(([, keys]) => keys));
  const others = Object.keys(top).filter((key) => !named.has(key));
  const all = others.length === 0 ? groups : [...groups, ['Other keys', others] as const];
  const parts = all.map(([title, keys]) => {
    const sections = keys.filter((key) => top[key] !== undefined).map((key) => section(key, top[key] ?? {}));
    return `## ${title}\n\n${sections.join('\n')}`;
  });
  return `${[introduction, ...parts].join('\n')}`;
}

function section(key: string, shape: Shape): string {
  const effect = shape.takesEffect ?? 'restart';
  const heading = `### \`${key}\`${asInSynapse.has(key) ? ' ★' : ''}`;
  const facts = [`Takes effect with a ${strong(effect)}.`];
  const inner = innerObject(shape);
  if (inner === undefined) facts.unshift(`${sentence(typeWords(shape))}.`, ...defaultSentence(shape));
  else facts.unshift(...(shape.type === 'array' ? ['A list.'] : []), ...defaultSentence(shape));
  const example =
    inner === undefined && shape.examples?.[0] !== undefined
      ? `Example: ${code(`${key}: ${inline(shape.examples[0])}`)}.`
      : '';
  const lines = [
    heading,
    '',
    shape.description ?? '',
    '',
    [...facts, example].filter((fact) => fact !== '').join(' '),
    '',
  ];
  if (key === 'partner_defaults')
    return [
      ...lines,
      'Its keys are `transport` (without `urls`) and `policy`, as in [partners](#partners-1).',
      '',
    ].join('\n');
  if (inner !== undefined) lines.push(...tables(inner, '', effect));
  return lines.join('\n');
}

/** What has keys of its own: an object, or each entry of a list of objects. */
function innerObject(shape: Shape): Shape | undefined {
  if (shape.type === 'array') return shape.items?.type === 'object' ? shape.items : undefined;
  if (shape.type !== 'object') return undefined;
  return shape;
}

/** A table of the plain keys of an object, and one for each part below it. */
function tables(shape: Shape, path: string, above: TakesEffect): string[] {
  const rows: string[] = [];
  const below: string[] = [];
  for (const [key, child] of Object.entries(shape.properties ?? {})) {
    const inner = innerObject(child);
    const effect = child.takesEffect ?? above;
    const full = path === '' ? key : `${path}.${key}`;
    if (inner === undefined || isPeople(inner)) rows.push(row(key, child, shape, effect, above));
    else below.push(...part(full, child, inner, effect));
  }
  return [...(rows.length === 0 ? [] : [...head, ...rows, '']), ...below];
}

const head = ['| key | meaning | type | default | example |', '| --- | --- | --- | --- | --- |'];

function part(path: string, shape: Shape, inner: Shape, effect: TakesEffect): string[] {
  const [record] = Object.entries(inner.patternProperties ?? {});
  const keys = record === undefined ? '' : ` Each key has the form \`${inner.keyForm}\`, and below it:`;
  const list = shape.type === 'array' ? ' A list; each entry has:' : '';
  const missing = defaultSentence(shape)
    .map((words) => ` ${words}`)
    .join('');
  const text = `${shape.description ?? ''}${missing}${keys}${list}`.trim();
  return [
    `#### \`${path}\``,
    '',
    ...(text === '' ? [] : [text, '']),
    ...tables(record === undefined ? inner : record[1], path, effect),
  ];
}

function row(key: string, shape: Shape, parent: Shape, effect: TakesEffect, above: TakesEffect): string {
  const isNeeded = parent.required?.includes(key) === true;
  const meaning = `${shape.description ?? ''}${effect === above ? '' : ` Takes effect with a ${strong(effect)}.`}`;
  const fallback = isNeeded
    ? '_needed_'
    : (shape.byDefault ?? (shape.default === undefined ? '–' : code(inline(shape.default))));
  const example = shape.examples?.[0] === undefined ? '' : code(inline(shape.examples[0]));
  return `| ${[code(key), meaning, typeWords(shape), fallback, example].map(cell).join(' | ')} |`;
}

/** `{everyone, departments, users}`, which is explained where it stands. */
function isPeople(shape: Shape): boolean {
  return ['everyone', 'departments', 'users'].every((key) => shape.properties?.[key] !== undefined);
}

function typeWords(shape: Shape): string {
  if (shape.enum !== undefined) return shape.enum.map((value) => code(value)).join(', ');
  if (shape.type === 'boolean') return '`true` or `false`';
  if (shape.type === 'integer') return `whole number, ${shape.minimum} to ${shape.maximum}`;
  if (shape.type === 'array') {
    const { items = {} } = shape;
    if (isPeople(items)) return 'list of `{departments: […]}`, `{users: […]}` or `{everyone: true}`';
    return `list of ${items.enum === undefined ? pluralWords(items) : typeWords(items)}`;
  }
  return shape.kind === undefined ? 'text' : kindWords[shape.kind].word;
}

function pluralWords(shape: Shape): string {
  if (shape.kind === undefined) return 'texts';
  const { word, plural = `${word}s` } = kindWords[shape.kind];
  return plural;
}

function defaultSentence({ default: value, byDefault }: Shape): string[] {
  if (byDefault !== undefined) return [`By default: ${byDefault}.`];
  return value === undefined ? [] : [`By default ${code(inline(value))}.`];
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function strong(effect: TakesEffect): string {
  return effect === 'restart' ? '**restart**' : 'reload';
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
