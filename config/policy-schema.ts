import Type, { type Static } from 'typebox';
import { closed, text } from './schema-kit.ts';

const people = Type.Object(
  {
    everyone: Type.Optional(Type.Boolean({ description: 'true: everybody of ours.' })),
    departments: Type.Optional(
      Type.Array(text('line', 'A department.'), { minItems: 1, description: 'Everybody of these.' }),
    ),
    users: Type.Optional(
      Type.Array(text('user-id', '@ann:acme.example'), {
        minItems: 1,
        description: 'These people.',
      }),
    ),
  },
  closed,
);

const inviteRule = (description: string) =>
  Type.Optional(Type.Enum(['allow', 'approve', 'deny'], { description, default: 'allow' }));
const shared = (what: string, byDefault: boolean) =>
  Type.Optional(Type.Boolean({ description: `${what}.`, default: byDefault }));

/** The `policy:` of a partner or of `partner_defaults`. */
export const policySchema = Type.Object(
  {
    allow_local: Type.Optional(
      Type.Array(people, {
        minItems: 1,
        description: 'Who of ours the partnership is for.',
        default: [{ everyone: true }],
        examples: [[{ departments: ['purchasing'] }, { users: ['@ceo:acme.example'] }]],
      }),
    ),
    allow_remote: Type.Optional(
      Type.Array(text('remote-user', '"*", or @bob:bolt.example'), {
        minItems: 1,
        description: 'Who of theirs it is for; "*" is everyone.',
        default: ['*'],
        examples: [['@bob:bolt.example']],
      }),
    ),
    invites: Type.Optional(
      Type.Object(
        {
          outbound: inviteRule('May ours invite theirs? approve: once an admin agrees.'),
          inbound: inviteRule('May theirs invite ours? approve: once an admin agrees.'),
        },
        closed,
      ),
    ),
    rooms: Type.Optional(
      Type.Object(
        {
          remote_may_create: Type.Optional(
            Type.Boolean({ description: 'May ours be in rooms that theirs made?', default: true }),
          ),
          encryption: Type.Optional(
            Type.Enum(['required', 'optional', 'forbidden'], {
              description: 'End-to-end encryption of what crosses.',
              default: 'optional',
            }),
          ),
          third_parties: Type.Optional(
            Type.Enum(['deny', 'listed', 'allow'], {
              description: 'Further servers in a room shared with them: none, partners of ours, any.',
              default: 'deny',
            }),
          ),
          max_remote_power_level: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 100,
              description: 'The highest power level that theirs may have.',
              default: 100,
            }),
          ),
          history_visibility: Type.Optional(
            Type.Array(
              Type.Enum(['invited', 'joined', 'shared', 'world_readable'], { description: 'A value.' }),
              {
                minItems: 1,
                description: 'What the history visibility of a shared room may be.',
                byDefault: 'any',
                examples: [['joined', 'invited']],
              },
            ),
          ),
        },
        closed,
      ),
    ),
    files: Type.Optional(
      Type.Object(
        {
          direction: Type.Optional(
            Type.Enum(['both', 'outbound', 'inbound', 'none'], {
              description: 'Which way files cross.',
              default: 'both',
            }),
          ),
          max_size: Type.Optional(
            text('size', 'The largest file that crosses.', { byDefault: 'any size', examples: ['50M'] }),
          ),
          mime: Type.Optional(
            Type.Array(text('media-type', '"application/pdf" or "image/*"'), {
              minItems: 1,
              description: 'Which types of files cross.',
              byDefault: 'any',
              examples: [['application/pdf', 'image/*']],
            }),
          ),
        },
        closed,
      ),
    ),
    directory: Type.Optional(
      Type.Object(
        {
          expose: Type.Optional(
            Type.Array(people, {
              description: 'Whom of ours they find; an empty list is nobody.',
              default: [],
              examples: [[{ departments: ['purchasing'] }]],
            }),
          ),
          fields: Type.Optional(
            Type.Array(
              Type.Enum(['display_name', 'avatar', 'title', 'department'], { description: 'A field.' }),
              {
                description: 'Which fields they see.',
                default: ['display_name', 'avatar'],
              },
            ),
          ),
        },
        closed,
      ),
    ),
    share: Type.Optional(
      Type.Object(
        {
          presence: shared('Who is online', false),
          typing: shared('Who is typing', true),
          receipts: shared('Who has read what', true),
          device_names: shared('The names of devices', false),
        },
        closed,
      ),
    ),
    label: Type.Optional(
      Type.Object(
        {
          show: Type.Optional(
            Type.Boolean({
              description:
                'Whether our clients see of theirs that they are external. What a client has stays until it syncs the room anew.',
              default: true,
            }),
          ),
          suffix: Type.Optional(
            text('line', 'Stands after their display names.', {
              byDefault: 'made of display_name',
              examples: [' (Bolt)'],
            }),
          ),
        },
        closed,
      ),
    ),
    events: Type.Optional(
      Type.Object(
        {
          deny: Type.Optional(
            Type.Array(text('line', 'An event type.'), {
              description: 'Event types that do not cross.',
              default: [],
              examples: [['m.room.tombstone', 'org.example.secret']],
            }),
          ),
        },
        closed,
      ),
    ),
  },
  { ...closed, description: 'What may cross. Both sides have one, and the stricter rules.' },
);

export type RawPolicy = Static<typeof policySchema>;
export type RawPeople = Static<typeof people>;
