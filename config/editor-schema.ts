import { kindWords } from './kind-words.ts';
import { homeserverSchema } from './schema.ts';
import { type Shape, shapeOf, type TakesEffect } from './schema-kit.ts';

type Json = Record<string, unknown>;

/**
 * The JSON Schema of `homeserver.yaml` and of the files of `conf.d` for editors: names, types and forms as the program
 * checks them, and as descriptions what the documentation says. What one key has to do with another, and with files, only
 * `archipelago check-config` sees.
 */
export function editorSchema(): Json {
  // A file of conf.d has any of the keys, so none has to be in each.
  const { required: _, ...top } = shapeOf(homeserverSchema);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Archipelago homeserver.yaml',
    ...convert(top, undefined),
  };
}

function convert(shape: Shape, above: TakesEffect | undefined): Json {
  const takesEffect = shape.takesEffect ?? above;
  const description = describe(shape, takesEffect);
  return {
    ...typeOf(shape, takesEffect),
    ...(description === '' ? {} : { description }),
    ...(shape.default === undefined ? {} : { default: shape.default }),
    ...(shape.examples === undefined ? {} : { examples: shape.examples }),
  };
}

function typeOf(shape: Shape, takesEffect: TakesEffect | undefined): Json {
  if (shape.enum !== undefined) return { enum: shape.enum };
  if (shape.type === 'object') return objectOf(shape, takesEffect);
  if (shape.type === 'array') {
    const { items = {}, minItems, maxItems } = shape;
    return defined({ type: 'array', items: convert(items, takesEffect), minItems, maxItems });
  }
  if (shape.type === 'integer')
    return defined({ type: 'integer', minimum: shape.minimum, maximum: shape.maximum });
  if (shape.type === 'boolean') return { type: 'boolean' };
  const pattern = shape.kind === undefined ? undefined : kindWords[shape.kind].pattern;
  return defined({ type: shape.kind === 'size' ? ['string', 'integer'] : 'string', pattern });
}

function objectOf(shape: Shape, takesEffect: TakesEffect | undefined): Json {
  const { required, minProperties } = shape;
  const convertAll = (
    shapes: Readonly<Record<string, Shape>> | undefined,
    isOptional: (key: string) => boolean,
  ) =>
    shapes === undefined
      ? undefined
      : Object.fromEntries(
          Object.entries(shapes).map(([key, child]) => {
            const converted = convert(child, takesEffect);
            return [key, isOptional(key) ? orNothing(converted) : converted];
          }),
        );
  return defined({
    type: 'object',
    properties: convertAll(shape.properties, (key) => required?.includes(key) !== true),
    patternProperties: convertAll(shape.patternProperties, () => false),
    additionalProperties: false,
    required,
    minProperties,
  });
}

/** A key without a value counts as absent. */
function orNothing(schema: Json): Json {
  const { type, enum: values } = schema;
  if (Array.isArray(values)) return { ...schema, enum: [...values, null] };
  return { ...schema, type: [type, 'null'].flat() };
}

function describe(
  { description = '', byDefault, type, properties }: Shape,
  takesEffect: TakesEffect | undefined,
): string {
  const effect =
    takesEffect === undefined || (type === 'object' && properties === undefined)
      ? ''
      : takesEffect === 'reload'
        ? 'A change takes effect with a reload.'
        : 'A change takes effect with a restart.';
  const missing = byDefault === undefined ? '' : `By default: ${byDefault}.`;
  return [description, missing, description === '' ? '' : effect].filter((part) => part !== '').join(' ');
}

function defined(json: Json): Json {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined));
}
