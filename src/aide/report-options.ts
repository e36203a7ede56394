/** Where a scan’s reports go, beside the text report that the configuration itself asks for. */
export interface ReportFiles {
  /** Absolute path of the JSON report, e.g. `/hostroot/etc/kubernetes/aide.json.new`. */
  readonly json: string;
}

/**
 * Configuration lines that make AIDE write a JSON report too; they go after the configuration (`AideOptions.after`). A
 * `report_url` takes the report options set before it, so these change nothing of the text report. What the user chose to
 * ignore in reports is ignored here too.
 */
export function jsonReportLines(files: ReportFiles): string[] {
  return [
    'database_attrs=sha256+sha512',
    'report_format=json',
    'report_level=changed_attributes',
    'report_summarize_changes=yes',
    'report_grouped=yes',
    'report_quiet=no',
    'report_append=no',
    'report_base16=no',
    `report_url=file:${files.json}`,
  ];
}
