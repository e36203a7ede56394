/** Options of AIDE 0.19 whose value is a text. */
const TEXT_OPTIONS = [
  'database_in database_out database_new database_add_metadata gzip_dbout config_version num_workers root_prefix',
  'log_level report_url report_level report_format report_base16 report_detailed_init report_quiet report_append',
  'report_grouped report_summarize_changes report_ignore_e2fsattrs acl_no_symlink_follow warn_dead_symlinks',
  'config_check_warn_unrestricted_rules',
];

/** Options of AIDE 0.19 whose value is an expression of attributes. */
const ATTRIBUTE_OPTIONS = [
  'database_attrs report_ignore_added_attrs report_ignore_removed_attrs report_ignore_changed_attrs report_force_attrs',
];

/** Options of AIDE 0.16 to 0.18, and of Red Hat’s AIDE, that AIDE 0.19 no longer has. */
const FORMER_TEXT_OPTIONS = ['database verbose grouped summarize_changes recstop umask syslog_format'];
const FORMER_ATTRIBUTE_OPTIONS = ['ignore_list report_attributes'];

const CURRENT = words(TEXT_OPTIONS, ATTRIBUTE_OPTIONS);
const KNOWN = words(TEXT_OPTIONS, ATTRIBUTE_OPTIONS, FORMER_TEXT_OPTIONS, FORMER_ATTRIBUTE_OPTIONS);
const TEXTS = words(TEXT_OPTIONS, FORMER_TEXT_OPTIONS);

/** Whether AIDE 0.19 has the option. */
export function isCurrentOption(name: string): boolean {
  return CURRENT.has(name);
}

/** Whether AIDE 0.19 has the option or an earlier AIDE had it. */
export function isKnownOption(name: string): boolean {
  return KNOWN.has(name);
}

/** Whether AIDE 0.19 takes `NAME=` for an option, even one that it does not have; else it is a group. */
export function isOptionName(name: string): boolean {
  return KNOWN.has(name) || /^[a-z]+(?:_[a-z]+)+$/.test(name);
}

/** Whether the option’s value is one word, and not an expression. */
export function isTextOption(name: string): boolean {
  return TEXTS.has(name);
}

function words(...lists: readonly (readonly string[])[]): ReadonlySet<string> {
  return new Set(lists.flat().flatMap((list) => list.split(' ')));
}
