import { type Document, isCollection, isScalar, visit, type YAMLError } from 'yaml';

/** What a YAML file has wrong as YAML, in words for people who do not know its grammar. */
export interface SyntaxProblem {
  readonly offset: number;
  readonly message: string;
  readonly suggestion?: string | undefined;
}

/** The mistakes of a document, at the places where people would look. */
export function syntaxProblems(document: Document, text: string): SyntaxProblem[] {
  const [first] = document.errors;
  // What follows the first mistake is often only its echo, except for doubled keys: those stand for themselves.
  return document.errors
    .filter((error) => error === first || error.code === 'DUPLICATE_KEY')
    .map((error) => describe(document, text, error));
}

function describe(document: Document, text: string, error: YAMLError): SyntaxProblem {
  const offset = error.pos[0];
  if (/^Missing closing|^Flow (?:map|sequence)/.test(error.message)) {
    const opened = firstUnclosed(document, text);
    if (opened !== undefined)
      return { offset: opened, message: `the ${text[opened]} that is opened here is not closed` };
  }
  if (error.code === 'BAD_INDENT' || /without - indicator/.test(error.message))
    return { offset, message: 'this line is not indented like its neighbours' };
  if (text[offset] === '*' && /alias/i.test(error.message))
    return { offset, message: 'a * stands here without quotes', suggestion: 'write "*"' };
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return {
        offset,
        message: `the key "${wordAt(text, offset)}" stands here a second time`,
        suggestion: 'keep one of them',
      };
    case 'TAB_AS_INDENT':
      return { offset, message: 'a tab is used for indentation', suggestion: 'YAML allows spaces only' };
    case 'MULTIPLE_DOCS':
      return { offset, message: 'a second document begins here', suggestion: 'remove the line "---"' };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        offset,
        message: 'this value is followed by another key, on its line or indented below it',
        suggestion: 'begin each key at its own level, and put text with ": " in it in quotes',
      };
    default:
      return {
        offset,
        message: `not proper YAML: ${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`,
        suggestion: hint(text, offset, error),
      };
  }
}

function hint(text: string, offset: number, error: YAMLError): string | undefined {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const line = text.slice(start);
  // Tabs are what usually stands behind an error that the parser describes otherwise.
  if (/^ *\t/.test(line)) return 'the line begins with a tab: YAML allows spaces only';
  const isText =
    error.code === 'BAD_SCALAR_START' ||
    (error.code === 'UNEXPECTED_TOKEN' && /^[^#\n]*: +[[{*&!]/.test(line));
  return isText ? 'if this is text, put it in quotes' : undefined;
}

/** Where the first quotation mark or bracket is opened that is not closed. */
function firstUnclosed(document: Document, text: string): number | undefined {
  let found: number | undefined;
  visit(document, {
    Node(_key, node) {
      const isQuoted = isScalar(node) && /^QUOTE_/.test(node.type ?? '');
      const isFlow = isCollection(node) && node.flow === true;
      if (!node.range || !(isQuoted || isFlow)) return undefined;
      const [start, end] = node.range;
      const closer = { '[': ']', '{': '}' }[text[start] ?? ''] ?? text[start];
      if (end - start > 1 && text[end - 1] === closer) return undefined;
      found = start;
      return visit.BREAK;
    },
  });
  return found;
}

function wordAt(text: string, offset: number): string {
  return /^["']?([^\s:"']+)/.exec(text.slice(offset))?.[1] ?? '';
}
