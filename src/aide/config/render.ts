import type { Configuration, Statement } from './syntax.ts';

/** The text of a configuration; of one from `parse`, exactly the text that it was. */
export function render(configuration: Configuration): string {
  return configuration.lines.map(({ statement, end }) => renderStatement(statement) + end).join('');
}

/** One line, without what ends it. */
export function renderStatement(statement: Statement): string {
  switch (statement.kind) {
    case 'blank':
    case 'comment':
    case 'unknown':
      return statement.text;
    case 'define': {
      const { indent, gap, name, valueGap, value, tail } = statement;
      return `${indent}@@define${gap}${name}${valueGap}${value}${tail}`;
    }
    case 'undefine':
      return `${statement.indent}@@undef${statement.gap}${statement.name}${statement.tail}`;
    case 'condition': {
      const { indent, keyword, gap, expression, tail } = statement;
      return `${indent}${keyword}${gap}${expression}${tail}`;
    }
    case 'else':
    case 'endif':
      return `${statement.indent}@@${statement.kind}${statement.tail}`;
    case 'include': {
      const { indent, keyword, gap, argument, tail } = statement;
      return `${indent}${keyword}${gap}${argument}${tail}`;
    }
    case 'option': {
      const { indent, name, equals, value, tail } = statement;
      return `${indent}${name}${equals}${value}${tail}`;
    }
    case 'group': {
      const { indent, name, equals, expression, tail } = statement;
      return `${indent}${name}${equals}${expression}${tail}`;
    }
    case 'rule': {
      const { indent, prefix, path, gap, restriction, attributesGap, attributes, tail } = statement;
      return `${indent}${prefix}${path}${gap}${restriction}${attributesGap}${attributes}${tail}`;
    }
  }
}
