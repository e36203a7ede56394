/**
 * An AIDE configuration (aide.conf(5), 0.16 and later), line by line, each line in the pieces that it is written with, so
 * that `render(parse(text)) === text` for every text and a piece can be changed without touching the rest.
 */
export interface Configuration {
  readonly lines: readonly Line[];
}

export interface Line {
  readonly statement: Statement;
  /** What ends it: `\n`, `\r\n`, or nothing at the end of the text. */
  readonly end: '\n' | '\r\n' | '';
}

export type Statement =
  | Text<'blank'>
  | Text<'comment'>
  /** What is none of the others. AIDE refuses it. */
  | Text<'unknown'>
  | Define
  | Undefine
  | Condition
  | Branch
  | Include
  | Option
  | Group
  | Rule;

interface Text<Kind extends string> {
  readonly kind: Kind;
  readonly text: string;
}

interface Indented {
  /** White space before it. */
  readonly indent: string;
  /** White space and comment after it. */
  readonly tail: string;
}

/** `@@define NAME VALUE` */
interface Define extends Indented {
  readonly kind: 'define';
  readonly gap: string;
  readonly name: string;
  readonly valueGap: string;
  readonly value: string;
}

/** `@@undef NAME` */
interface Undefine extends Indented {
  readonly kind: 'undefine';
  readonly gap: string;
  readonly name: string;
}

/** `@@if EXPRESSION`, or one of its older forms, whose expression is a name. */
export interface Condition extends Indented {
  readonly kind: 'condition';
  readonly keyword: '@@if' | '@@ifdef' | '@@ifndef' | '@@ifhost' | '@@ifnhost';
  readonly gap: string;
  readonly expression: string;
}

/** `@@else`, `@@endif` */
interface Branch extends Indented {
  readonly kind: 'else' | 'endif';
}

/** `@@include FILE`, `@@include DIRECTORY REGEX [PREFIX]`, the same with x_include, `@@x_include_setenv NAME VALUE` */
export interface Include extends Indented {
  readonly kind: 'include';
  readonly keyword: '@@include' | '@@x_include' | '@@x_include_setenv';
  readonly gap: string;
  readonly argument: string;
}

/** `NAME=VALUE`, where AIDE 0.19 takes the name for an option’s, or an earlier AIDE did. */
export interface Option extends Indented {
  readonly kind: 'option';
  readonly name: string;
  /** The equals sign with the white space around it. */
  readonly equals: string;
  readonly value: string;
}

/** `NAME = EXPRESSION`: a group of attributes. */
interface Group extends Indented {
  readonly kind: 'group';
  readonly name: string;
  readonly equals: string;
  readonly expression: string;
}

/** A rule: none: take what matches and all below; `=`: only what matches itself; `!`, `-`: leave out. */
export interface Rule extends Indented {
  readonly kind: 'rule';
  readonly prefix: RulePrefix;
  /** The regular expression as it is written, escapes and variables included. */
  readonly path: string;
  readonly gap: string;
  /** File types and file system, e.g. `f,d`, `f=ext`, `0`; often empty. */
  readonly restriction: string;
  readonly attributesGap: string;
  /** Empty for `!` and `-`. */
  readonly attributes: string;
}

export type RulePrefix = '' | '=' | '!' | '-';
