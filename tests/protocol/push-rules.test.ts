import assert from 'node:assert/strict';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import {
  defaultPushRules,
  type PushCondition,
  type PushRule,
  type PushRuleKind,
  type PushRuleset,
  pushRuleKinds,
} from '../../protocol/push-rules/default-rules.ts';
import { evaluatePushRules, type PushFacts, type PushOutcome } from '../../protocol/push-rules/evaluate.ts';

const ann = '@ann:acme.test';
const bea = '@bea:bolt.test';

const sound = { set_tweak: 'sound', value: 'default' };
const ring = { set_tweak: 'sound', value: 'ring' };
const highlight = { set_tweak: 'highlight' };
const match = (key: string, pattern: string): JsonObject => ({ kind: 'event_match', key, pattern });
const two = { kind: 'room_member_count', is: '2' };

/** "Predefined Rules" of the Client-Server API, for @ann:acme.test, in their order: id, conditions, actions. */
const predefined: Readonly<Record<PushRuleKind, readonly (readonly [string, JsonValue, JsonValue])[]>> = {
  override: [
    ['.m.rule.master', [], []],
    ['.m.rule.suppress_notices', [match('content.msgtype', 'm.notice')], []],
    [
      '.m.rule.invite_for_me',
      [match('type', 'm.room.member'), match('content.membership', 'invite'), match('state_key', ann)],
      ['notify', sound],
    ],
    ['.m.rule.member_event', [match('type', 'm.room.member')], []],
    [
      '.m.rule.is_user_mention',
      [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: ann }],
      ['notify', sound, highlight],
    ],
    [
      '.m.rule.is_room_mention',
      [
        { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
        { kind: 'sender_notification_permission', key: 'room' },
      ],
      ['notify', highlight],
    ],
    ['.m.rule.tombstone', [match('type', 'm.room.tombstone'), match('state_key', '')], ['notify', highlight]],
    ['.m.rule.reaction', [match('type', 'm.reaction')], []],
    ['.m.rule.room.server_acl', [match('type', 'm.room.server_acl'), match('state_key', '')], []],
    [
      '.m.rule.suppress_edits',
      [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }],
      [],
    ],
  ],
  content: [],
  room: [],
  sender: [],
  underride: [
    ['.m.rule.call', [match('type', 'm.call.invite')], ['notify', ring]],
    ['.m.rule.encrypted_room_one_to_one', [two, match('type', 'm.room.encrypted')], ['notify', sound]],
    ['.m.rule.room_one_to_one', [two, match('type', 'm.room.message')], ['notify', sound]],
    ['.m.rule.message', [match('type', 'm.room.message')], ['notify']],
    ['.m.rule.encrypted', [match('type', 'm.room.encrypted')], ['notify']],
  ],
};

const silent: PushOutcome = { notify: false, highlight: false, sound: undefined };
const quiet: PushOutcome = { notify: true, highlight: false, sound: undefined };
const audible: PushOutcome = { notify: true, highlight: false, sound: 'default' };
const mentioned: PushOutcome = { notify: true, highlight: true, sound: 'default' };
const highlighted: PushOutcome = { notify: true, highlight: true, sound: undefined };

function factsOf(changes: Partial<PushFacts> = {}): PushFacts {
  return { userId: ann, displayName: 'Ann Lee', memberCount: 5, mayNotify: () => true, ...changes };
}

function messageWith(content: JsonObject): JsonObject {
  return {
    type: 'm.room.message',
    sender: bea,
    room_id: '!r:acme.test',
    content: { msgtype: 'm.text', ...content },
  };
}

/** Ann's default rules, with some of her own; as those that users make they have priority. */
function rulesWith(kind: PushRuleKind, ...rules: Partial<PushRule>[]): PushRuleset {
  const own = rules.map(
    (rule): PushRule => ({
      rule_id: 'own',
      default: false,
      enabled: true,
      actions: ['notify', sound],
      ...rule,
    }),
  );
  const defaults = defaultPushRules(ann);
  return { ...defaults, [kind]: [...own, ...defaults[kind]] };
}

function fires(condition: PushCondition, event: JsonObject, facts = factsOf()): boolean {
  const actions = [{ set_tweak: 'sound', value: 'own' }];
  return (
    evaluatePushRules(rulesWith('override', { conditions: [condition], actions }), event, facts).sound ===
    'own'
  );
}

describe('The default push rules', () => {
  it('are those of the specification, in its order', () => {
    const rules = defaultPushRules(ann);
    assert.deepEqual(Object.keys(rules), Object.keys(predefined));
    for (const kind of pushRuleKinds)
      assert.deepEqual(
        rules[kind],
        predefined[kind].map(([rule_id, conditions, actions]) => ({
          rule_id,
          default: true,
          enabled: rule_id !== '.m.rule.master',
          conditions,
          actions,
        })),
      );
  });

  it('are looked at kind by kind', () => {
    assert.deepEqual(pushRuleKinds, ['override', 'content', 'room', 'sender', 'underride']);
  });

  const member = (membership: string, state_key: string): JsonObject => ({
    type: 'm.room.member',
    sender: bea,
    state_key,
    content: { membership },
  });
  const relation = { 'm.relates_to': { rel_type: 'm.replace', event_id: '$x' } };
  const room = { 'm.mentions': { room: true } };
  const user = { 'm.mentions': { user_ids: ['@eve:acme.test', ann] } };
  const pair = factsOf({ memberCount: 2 });
  const weak = factsOf({ mayNotify: () => false });
  const table: readonly (readonly [string, JsonObject, PushOutcome, PushFacts?])[] = [
    ['a message', messageWith({ body: 'hi' }), quiet],
    ['a message in a room of two', messageWith({ body: 'hi' }), audible, pair],
    ['a message in a room of one', messageWith({ body: 'hi' }), quiet, factsOf({ memberCount: 1 })],
    ['an encrypted message', { type: 'm.room.encrypted', sender: bea, content: {} }, quiet],
    [
      'an encrypted message in a room of two',
      { type: 'm.room.encrypted', sender: bea, content: {} },
      audible,
      pair,
    ],
    ['a notice', messageWith({ body: 'hi', msgtype: 'm.notice' }), silent],
    ['a notice in a room of two', messageWith({ body: 'hi', msgtype: 'm.notice' }), silent, pair],
    ['an invite for the user', member('invite', ann), audible],
    ['an invite for somebody else', member('invite', '@eve:acme.test'), silent],
    ['a join', member('join', bea), silent],
    ["the user's ban", member('ban', ann), silent],
    ['a mention of the user', messageWith({ body: 'hi', ...user }), mentioned],
    [
      'a mention of the user in a message that is encrypted',
      { type: 'm.room.encrypted', sender: bea, content: user },
      mentioned,
    ],
    [
      'a mention of another user',
      messageWith({ body: 'hi', 'm.mentions': { user_ids: ['@eve:acme.test'] } }),
      quiet,
    ],
    [
      'a mention of a longer name',
      messageWith({ body: 'hi', 'm.mentions': { user_ids: [`${ann}.org`] } }),
      quiet,
    ],
    ['a mention that is no list', messageWith({ body: 'hi', 'm.mentions': { user_ids: ann } }), quiet],
    ['mentions that are no object', messageWith({ body: 'hi', 'm.mentions': [ann] }), quiet],
    ['a mention of the room', messageWith({ body: 'hi', ...room }), highlighted],
    ['a mention of the room by somebody who may not', messageWith({ body: 'hi', ...room }), quiet, weak],
    [
      'a mention of the room that is no boolean',
      messageWith({ body: 'hi', 'm.mentions': { room: 'true' } }),
      quiet,
    ],
    ["the user's name in the body", messageWith({ body: 'ann: hi' }), quiet],
    ["the user's display name in the body", messageWith({ body: 'Ann Lee: hi' }), quiet],
    ['@room in the body', messageWith({ body: '@room' }), quiet],
    ['a tombstone', { type: 'm.room.tombstone', sender: bea, state_key: '', content: {} }, highlighted],
    ['a tombstone that is no state', { type: 'm.room.tombstone', sender: bea, content: {} }, silent],
    ['a reaction', { type: 'm.reaction', sender: bea, content: {} }, silent],
    ['a server ACL', { type: 'm.room.server_acl', sender: bea, state_key: '', content: {} }, silent],
    ['an edit', messageWith({ body: '* hi', ...relation }), silent],
    ['an edit that mentions the user', messageWith({ body: '* hi', ...relation, ...user }), mentioned],
    ['a call', { type: 'm.call.invite', sender: bea, content: {} }, { ...audible, sound: 'ring' }],
    ['a topic', { type: 'm.room.topic', sender: bea, state_key: '', content: { topic: 'x' } }, silent],
    ['an event of a type that nobody knows', { type: 'org.example', sender: bea, content: {} }, silent],
  ];
  for (const [name, event, outcome, facts] of table) {
    it(`say of ${name}: ${JSON.stringify(outcome)}`, () => {
      assert.deepEqual(evaluatePushRules(defaultPushRules(ann), event, facts ?? factsOf()), outcome);
    });
  }

  it('say nothing of what the user sent themselves, mention or not', () => {
    for (const event of [messageWith({ body: 'hi', ...user }), member('invite', ann)])
      assert.deepEqual(
        evaluatePushRules(defaultPushRules(ann), { ...event, sender: ann }, factsOf()),
        silent,
      );
  });

  it('say nothing at all once the master rule is enabled', () => {
    const rules = defaultPushRules(ann);
    const override = rules.override.map((rule) =>
      rule.rule_id === '.m.rule.master' ? { ...rule, enabled: true } : rule,
    );
    assert.deepEqual(
      evaluatePushRules({ ...rules, override }, messageWith({ body: 'hi', ...user }), factsOf()),
      silent,
    );
  });
});

describe('Push rules', () => {
  const hi = messageWith({ body: 'hi there' });

  it('count in the order of their kinds, then in their own', () => {
    const rule = (name: string): Partial<PushRule> => ({
      actions: ['notify', { set_tweak: 'sound', value: name }],
    });
    const kinds: Readonly<Record<PushRuleKind, Partial<PushRule>>> = {
      override: { ...rule('override'), conditions: [] },
      content: { ...rule('content'), pattern: 'hi' },
      room: { ...rule('room'), rule_id: '!r:acme.test' },
      sender: { ...rule('sender'), rule_id: bea },
      underride: { ...rule('underride'), conditions: [] },
    };
    const own: PushRuleset = { override: [], content: [], room: [], sender: [], underride: [] };
    const remaining = [...pushRuleKinds];
    while (remaining.length > 0) {
      const rules = Object.fromEntries(remaining.map((kind) => [kind, rulesWith(kind, kinds[kind])[kind]]));
      // All kinds are there: those that are not tested are empty.
      const outcome = evaluatePushRules({ ...own, ...rules } as PushRuleset, hi, factsOf());
      assert.equal(outcome.sound, remaining[0]);
      remaining.shift();
    }
    const both = rulesWith(
      'override',
      { ...rule('first'), conditions: [] },
      { ...rule('second'), conditions: [] },
    );
    assert.equal(evaluatePushRules(both, hi, factsOf()).sound, 'first');
  });

  it('that are disabled never match', () => {
    const rules = rulesWith('override', { enabled: false, conditions: [] });
    assert.deepEqual(evaluatePushRules(rules, hi, factsOf()), quiet);
  });

  it('of room and sender match by their id', () => {
    for (const [kind, id, expected] of [
      ['room', '!r:acme.test', 'default'],
      ['room', '!other:acme.test', undefined],
      ['sender', bea, 'default'],
      ['sender', '@eve:acme.test', undefined],
    ] as const)
      assert.equal(evaluatePushRules(rulesWith(kind, { rule_id: id }), hi, factsOf()).sound, expected);
  });

  it('of content match words of the body; without pattern or body they match nothing', () => {
    const soundOf = (rule: Partial<PushRule>, event: JsonObject): string | undefined =>
      evaluatePushRules(rulesWith('content', rule), event, factsOf()).sound;
    assert.equal(soundOf({ pattern: 'THERE' }, hi), 'default');
    assert.equal(soundOf({ pattern: 'the' }, hi), undefined);
    assert.equal(soundOf({}, hi), undefined);
    assert.equal(soundOf({ pattern: '*' }, messageWith({})), undefined);
    assert.equal(soundOf({ pattern: '*' }, messageWith({ body: 7 })), undefined);
  });

  it('need all of their conditions, and match everything without any', () => {
    const message = match('type', 'm.room.message') as unknown as PushCondition;
    const other = match('type', 'm.other') as unknown as PushCondition;
    const notifies = (rule: Partial<PushRule>): boolean =>
      evaluatePushRules(rulesWith('override', rule), hi, factsOf()).sound === 'default';
    assert.ok(notifies({ conditions: [message, message] }));
    assert.equal(notifies({ conditions: [message, other] }), false);
    assert.ok(notifies({ conditions: [] }));
    assert.ok(notifies({}));
  });

  it('say what their actions say; those of history and unknown ones say nothing', () => {
    const outcome = (...actions: PushRule['actions']): PushOutcome =>
      evaluatePushRules(rulesWith('override', { conditions: [], actions }), hi, factsOf());
    // Stored by clients of long ago; the type has no place for them.
    const historical = ['dont_notify', 'coalesce'] as unknown as PushRule['actions'];
    assert.deepEqual(outcome(...historical), silent);
    assert.deepEqual(outcome('notify', ...historical), quiet);
    assert.deepEqual(outcome('notify', { set_tweak: 'highlight' }), highlighted);
    assert.deepEqual(outcome('notify', { set_tweak: 'highlight', value: true }), highlighted);
    assert.deepEqual(outcome('notify', { set_tweak: 'highlight', value: false }), quiet);
    assert.deepEqual(
      outcome('notify', { set_tweak: 'sound', value: 7 }, { set_tweak: 'org.example', value: 1 }),
      quiet,
    );
    assert.deepEqual(
      outcome('notify', { set_tweak: 'sound', value: 'a' }, { set_tweak: 'sound', value: 'b' }),
      {
        ...quiet,
        sound: 'b',
      },
    );
  });
});

describe('The conditions of push rules', () => {
  const topic: JsonObject = {
    type: 'm.room.topic',
    sender: bea,
    state_key: '',
    content: {
      topic: 'Lunch plans',
      number: 7,
      yes: true,
      nothing: null,
      list: ['a', 1, null, ['x']],
      'm.x': { y: 'z' },
    },
  };

  it('event_match: the whole value, a glob, without regard to case; a text or nothing', () => {
    const fits = (key: string, pattern: string): boolean =>
      fires({ kind: 'event_match', key, pattern }, topic);
    for (const [key, pattern] of [
      ['content.topic', 'lunch plans'],
      ['content.topic', 'lunc?*'],
      ['content.topic', '*'],
      ['content.m\\.x.y', 'Z'],
      ['state_key', ''],
      ['type', 'm.room.*'],
    ] as const)
      assert.ok(fits(key, pattern), `${key} ${pattern}`);
    for (const [key, pattern] of [
      ['content.topic', 'lunch'],
      ['content.topic', 'plans'],
      ['content.number', '7'],
      ['content.nothing', '*'],
      ['content.missing', '*'],
      ['content.m.x.y', 'z'],
      ['content.topic.deeper', '*'],
      ['content', '*'],
      ['content.toString', '*'],
      ['', '*'],
    ] as const)
      assert.equal(fits(key, pattern), false, `${key} ${pattern}`);
  });

  it('event_match: words of content.body', () => {
    const fits = (pattern: string): boolean =>
      fires(
        { kind: 'event_match', key: 'content.body', pattern },
        messageWith({ body: 'An exciting triple-whammy' }),
      );
    for (const pattern of ['ex*ple', 'triple', 'AN', '*']) assert.ok(fits(pattern), pattern);
    for (const pattern of ['excite', 'whamm', 'exc']) assert.equal(fits(pattern), false, pattern);
  });

  it('event_property_is: exactly, with its type, of what is no object or list', () => {
    const fits = (key: string, value: JsonValue): boolean =>
      fires({ kind: 'event_property_is', key, value }, topic);
    for (const [key, value] of [
      ['content.topic', 'Lunch plans'],
      ['content.number', 7],
      ['content.yes', true],
      ['content.nothing', null],
    ] as const)
      assert.ok(fits(key, value), key);
    for (const [key, value] of [
      ['content.topic', 'lunch plans'],
      ['content.topic', '*'],
      ['content.number', '7'],
      ['content.yes', 1],
      ['content.yes', 'true'],
      ['content.nothing', false],
      ['content.missing', null],
      ['content.list', 'a'],
    ] as const)
      assert.equal(fits(key, value), false, key);
    assert.equal(fires({ kind: 'event_property_is', key: 'content.list', value: ['a'] }, topic), false);
    assert.equal(fires({ kind: 'event_property_is', key: 'content.topic' }, topic), false);
  });

  it('event_property_contains: a list that holds exactly that', () => {
    const fits = (key: string, value: JsonValue): boolean =>
      fires({ kind: 'event_property_contains', key, value }, topic);
    for (const value of ['a', 1, null]) assert.ok(fits('content.list', value));
    for (const value of ['A', '1', true, 'x', ['x']]) assert.equal(fits('content.list', value), false);
    assert.equal(fits('content.topic', 'L'), false);
    assert.equal(fits('content.missing', null), false);
    assert.equal(fires({ kind: 'event_property_contains', key: 'content.list' }, topic), false);
  });

  it('contains_display_name: as words of the body, a name and not a pattern', () => {
    const fits = (body: JsonValue, displayName: string | undefined): boolean =>
      fires({ kind: 'contains_display_name' }, messageWith({ body }), factsOf({ displayName }));
    assert.ok(fits('hello ann LEE!', 'Ann Lee'));
    assert.ok(fits('*', '*'));
    assert.equal(fits('hello ann leeds', 'Ann Lee'), false);
    assert.equal(fits('anything', '*'), false);
    assert.equal(fits('hello', ''), false);
    assert.equal(fits('hello', undefined), false);
    assert.equal(fits(7, '7'), false);
  });

  it('room_member_count: a number, with or without a comparison', () => {
    const fits = (is: string): boolean =>
      fires({ kind: 'room_member_count', is }, topic, factsOf({ memberCount: 10 }));
    for (const is of [
      '10',
      '==10',
      '<11',
      '>9',
      '>=10',
      '>=9',
      '<=10',
      '<=11',
      '>-1',
      '<99999999999999999999',
      '010',
    ])
      assert.ok(fits(is), is);
    for (const is of [
      '9',
      '==11',
      '<10',
      '>10',
      '>=11',
      '<=9',
      '',
      '=10',
      '!=9',
      '10.0',
      ' 10',
      '10 ',
      'ten',
      '<',
      '=>9',
    ])
      assert.equal(fits(is), false, is);
    assert.equal(fires({ kind: 'room_member_count' }, topic, factsOf({ memberCount: 10 })), false);
  });

  it('sender_notification_permission: asks for the sender and the key', () => {
    const asked: string[] = [];
    const facts = factsOf({
      mayNotify: (sender, key) => {
        asked.push(`${sender} ${key}`);
        return key === 'room';
      },
    });
    assert.ok(fires({ kind: 'sender_notification_permission', key: 'room' }, topic, facts));
    assert.equal(fires({ kind: 'sender_notification_permission', key: 'other' }, topic, facts), false);
    assert.equal(fires({ kind: 'sender_notification_permission' }, topic, facts), false);
    assert.deepEqual(asked, [`${bea} room`, `${bea} other`, `${bea} `]);
    const { sender: _, ...anonymous } = topic;
    assert.equal(fires({ kind: 'sender_notification_permission', key: 'room' }, anonymous, facts), false);
  });

  it('that lack their key, or are not known, match nothing', () => {
    for (const kind of ['event_match', 'event_property_is', 'event_property_contains'])
      assert.equal(fires({ kind, pattern: '*', value: null }, topic), false);
    assert.equal(fires({ kind: 'event_match', key: 'type' }, topic), false);
    assert.equal(fires({ kind: 'org.example.condition', key: 'type', pattern: '*' }, topic), false);
    assert.equal(fires({ kind: 'device', key: 'type' }, topic), false);
  });
});
